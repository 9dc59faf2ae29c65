#include <troupe/run_process.hpp>

#include "node_core.hpp"

namespace troupe {

using namespace detail;

actor run_process(self<protocol<>> me, program what) {
  const process child = start_or_throw(what, false);
  const auto first = co_await select(child.ended(), me.serve());
  if (first.index() == 0) co_return end_as(std::get<0>(first));
  (void)co_await child.stop(what.grace);
}

namespace detail {
namespace {

class adopt_operation : private node_call {
 public:
  adopt_operation(node_core& node, inherited_link&& link)
      : node_call(node, &value_type_of<std::string>, begin_adopt(std::move(link))) {}
  using node_call::await_ready;
  using node_call::await_suspend;
  using node_call::cancel;
  result<std::string, setup_error> await_resume() {
    const auto* const text = static_cast<const std::string*>(value());
    if (text != nullptr && failure().code == errc::ok) return {boost::system::in_place_value, *text};
    return setup_error("no link with it: " + (text != nullptr ? *text : failure().text()));
  }
};

}  // namespace

process start_or_throw(const program& what, bool linked) {
  auto started = process::start(what, linked);
  if (!started) throw std::runtime_error(started.error().text);
  return std::move(*started);
}

void end_as(const exit_status& how) {
  if (!how.success()) throw std::runtime_error(how.text());
}

task<result<std::string, setup_error>> link_with(node& own, process& child) {
  inherited_link link = child.take_link();
  result<std::string, setup_error> name = co_await adopt_operation(core_of(own), std::move(link));
  co_return name;
}

duration start_limit(node& own) noexcept { return core_of(own).options().join_deadline; }

void end_when_stopped(actor_core& core, bool does) noexcept { core.end_when_stopped(does); }
void drop_handlers_when_stopped(actor_core& core) noexcept { core.drop_handlers_when_stopped(); }

}  // namespace detail
}  // namespace troupe
