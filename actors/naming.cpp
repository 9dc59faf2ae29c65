#include <troupe/naming.hpp>

#include <utility>

#include "delivery.hpp"
#include "names.hpp"
#include "node_core.hpp"

namespace troupe {

namespace detail {

node_call::node_call(node_core& node, const value_type* answer, begin start)
    : node_(node), receipt_(make_receipt(answer)), start_(std::move(start)), timer_(*this) {}

void node_call::cancel() noexcept {
  timer_.cancel();
  if (receipt_ != nullptr) destroy(std::exchange(receipt_, nullptr));
  wait_.cancel({});
}

void node_call::await_suspend(std::coroutine_handle<> waiter, std::source_location at) {
  wait_.suspend(waiter, "a call of the node", at);
  receipt* const r = std::exchange(receipt_, nullptr);
  if (r == nullptr) return wait_.complete();
  wait_.expect(r);
  worker& home = wait_.owner()->home();
  if (limit_) home.timers().arm(timer_, home.now() + *limit_);
  node_.workers().at(0).post([node = &node_, start = std::move(start_), r](worker&) { start(*node, r); });
}

void node_call::limit(duration d, errc why) noexcept {
  limit_ = d;
  limit_error_ = why;
}

void node_call::on_limit() noexcept {
  if (wait_.arrived() != nullptr) return;
  wait_.abandon({});
  expired_ = true;
  wait_.complete();
}

void* node_call::value() const noexcept {
  receipt* const r = wait_.arrived();
  return r != nullptr && r->has_value ? r->storage() : nullptr;
}

error node_call::failure() const noexcept {
  if (expired_) return limit_error_;
  if (wait_.arrived() == nullptr) return errc::no_memory;
  return wait_.arrived()->outcome;
}

node_call::begin begin_join(std::string url) {
  return [url = std::move(url)](node_core& node, receipt* r) { node.all_names().join(url, r); };
}

node_call::begin begin_adopt(inherited_link&& link) {
  return [link = std::make_shared<inherited_link>(std::move(link))](node_core& node, receipt* r) {
    node.all_names().adopt(std::move(*link), r);
  };
}

node_call::begin begin_publish(std::string name, const address& who, const protocol_info& accepts) {
  return [name = std::move(name), who, &accepts](node_core& node, receipt* r) {
    node.all_names().publish(name, who, accepts, r);
  };
}

node_call::begin begin_lookup(std::string name, const protocol_info& wanted, bool wait) {
  return [name = std::move(name), &wanted, wait](node_core& node, receipt* r) {
    node.all_names().lookup(name, wanted, wait, r);
  };
}

}  // namespace detail

join_operation::join_operation(detail::node_core& node, const std::string& url)
    : node_call(node, &detail::value_type_of<std::string>, detail::begin_join(url)), url_(url) {
  limit(2 * node.options().join_deadline, errc::expired);  // half for the dialling, half for the peer's names
}

join_operation::join_operation(detail::node_core& node, inherited_link&& link)
    : node_call(node, &detail::value_type_of<std::string>, detail::begin_adopt(std::move(link))),
      url_("the process that has started this one") {
  limit(2 * node.options().join_deadline, errc::expired);
}

result<void, setup_error> join_operation::await_resume() {
  if (const auto* const why = static_cast<const std::string*>(value())) return setup_error(*why);
  if (failure().code == errc::ok) return {};
  return setup_error("cannot join " + url_ +
                     ": the node there was linked and did not tell its names in time; see its log");
}

}  // namespace troupe
