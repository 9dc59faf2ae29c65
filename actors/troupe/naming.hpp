// The awaitables behind node.join, publish, lookup and spawn_on.
//
// join, publish and lookup are served by the node's naming state on worker 0 (naming.cpp); the waiting actor
// gets a receipt, like an asker. spawn_on is an ask to the other node's root actor.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <troupe/ask.hpp>
#include <troupe/kind.hpp>
#include <troupe/result.hpp>
#include <troupe/task.hpp>

namespace troupe {

namespace detail {

/// Waits for an answer from the node's worker 0. `start` runs there and takes care of the receipt.
class node_call {
 public:
  using begin = std::function<void(node_core&, receipt*)>;
  node_call(node_core& node, const value_type* answer, begin start);
  node_call(const node_call&) = delete;
  node_call& operator=(const node_call&) = delete;
  ~node_call() { cancel(); }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter,
                     std::source_location at = std::source_location::current());
  /// Nobody waits for the answer any more; what was asked for may be done all the same.
  void cancel() noexcept;

 protected:
  /// The value, or null and failure() says why.
  void* value() const noexcept;
  error failure() const noexcept;
  /// Ends the wait with `why` after `d`.
  void limit(duration d, errc why) noexcept;

 private:
  struct limit_timer : timer {
    explicit limit_timer(node_call& o) noexcept
        : timer([](timer& self) noexcept { static_cast<limit_timer&>(self).owner.on_limit(); }), owner(o) {}
    node_call& owner;
  };
  void on_limit() noexcept;

  node_core& node_;
  receipt* receipt_;
  begin start_;
  std::optional<duration> limit_;
  errc limit_error_ = errc::expired;
  bool expired_ = false;
  awaiting_receipt wait_;
  limit_timer timer_;
};

node_call::begin begin_join(std::string url);
/// The answer is the name of the other node, or with a failure a text that says why. A link without a peer (in a child
/// process): as begin_join.
node_call::begin begin_adopt(inherited_link&& link);
node_call::begin begin_publish(std::string name, const address& who, const protocol_info& accepts);
node_call::begin begin_lookup(std::string name, const protocol_info& wanted, bool wait);

}  // namespace detail

/// co_await: result<void, setup_error>.
class [[nodiscard("co_await it")]] join_operation : private detail::node_call {
 public:
  join_operation(detail::node_core& node, const std::string& url);
  /// Links with the process that started this one.
  join_operation(detail::node_core& node, inherited_link&& link);
  using node_call::await_ready;
  using node_call::await_suspend;
  using node_call::cancel;
  result<void, setup_error> await_resume();

 private:
  std::string url_;
};

/// co_await: result<void>.
class [[nodiscard("co_await it")]] publish_operation : private detail::node_call {
 public:
  publish_operation(detail::node_core& node, std::string name, const detail::address& who,
                    const detail::protocol_info& accepts)
      : node_call(node, nullptr, detail::begin_publish(std::move(name), who, accepts)) {}
  using node_call::await_ready;
  using node_call::await_suspend;
  using node_call::cancel;
  result<void> await_resume() {
    const error e = failure();
    if (e.code != errc::ok) return e;
    return {};
  }
};

/// co_await: result<ref<P>>.
template <class P>
class [[nodiscard("co_await it")]] lookup_operation {
 public:
  lookup_operation(detail::node_core& node, std::string name, const detail::protocol_info& wanted)
      : node_(&node), name_(std::move(name)), wanted_(&wanted) {}
  lookup_operation(const lookup_operation&) = delete;
  lookup_operation& operator=(const lookup_operation&) = delete;

  /// Waits until the name appears, at most `d`: not_found after that.
  auto within(duration d) noexcept {
    within_ = d;
    return detail::awaited_in_place(*this);
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter,
                     std::source_location at = std::source_location::current()) {
    call_.emplace(*node_, std::move(name_), *wanted_, within_);
    call_->await_suspend(waiter, at);
  }
  result<ref<P>> await_resume() {
    if (const auto* const found = static_cast<const detail::address*>(call_->value()))
      return detail::ref_to<P>(*found);
    return call_->failure();
  }
  void cancel() noexcept { call_.reset(); }

 private:
  struct call : detail::node_call {
    call(detail::node_core& node, std::string name, const detail::protocol_info& wanted,
         std::optional<duration> d)
        : node_call(node, &detail::value_type_of<detail::address>,
                    detail::begin_lookup(std::move(name), wanted, d.has_value())) {
      if (d) limit(*d, errc::not_found);
    }
    using node_call::failure;
    using node_call::value;
  };

  detail::node_core* node_;
  std::string name_;
  const detail::protocol_info* wanted_;
  std::optional<duration> within_;
  std::optional<call> call_;
};

namespace detail {

/// An offered kind with its type erased: decodes the arguments and spawns, as a child of the node.
struct offered_kind {
  std::string name;
  std::string schema;  // of the arguments
  const protocol_info* accepts = nullptr;
  /// A default address when the arguments do not decode or the node is at its limit (`why` says which).
  address (*spawn)(node_core& node, reader& arguments, errc& why) = nullptr;
};

result<void> offer(node_core& node, offered_kind k);
task<result<address>> spawn_remote(node_core& node, std::string where, std::string kind, std::string schema,
                                   result<std::string> arguments);
/// Runs `write` on a bounded writer with the codec context for that node.
result<std::string> encode_arguments(node_core& node, const std::string& where,
                                     const std::function<void(writer&)>& write);

template <class... Args>
std::string arguments_schema(std::tuple<Args...>*) {
  std::string text;
  ((text += schema_text<Args>(), text += ';'), ...);
  return text;
}

template <auto F, std::size_t... I>
address spawn_offered(node_core& node, reader& in, errc& why, std::index_sequence<I...>) {
  typename kind<F>::arguments arguments;
  (codec<std::tuple_element_t<I, typename kind<F>::arguments>>::decode(in, std::get<I>(arguments)), ...);
  if (!in.ok() || in.remaining() != 0) {
    why = errc::bad_message;
    return {};
  }
  const auto born = spawn_actor(node, nullptr, spawn_options{}, F, give(std::get<I>(arguments))...);
  if (!born) why = errc::limit_reached;
  return address_of(born);
}

template <auto F>
result<void> offer_kind(node_core& node, const kind<F>& k) {
  using arguments = typename kind<F>::arguments;
  check_protocol_travels(static_cast<typename kind<F>::protocol_type*>(nullptr));
  offered_kind offered;
  offered.name = k.name;
  offered.schema = arguments_schema(static_cast<arguments*>(nullptr));
  offered.accepts = &protocol_info_of<typename kind<F>::protocol_type>;
  offered.spawn = [](node_core& on, reader& in, errc& why) {
    return spawn_offered<F>(on, in, why, std::make_index_sequence<std::tuple_size_v<arguments>>{});
  };
  return offer(node, std::move(offered));
}

template <class P>
task<result<ref<P>>> typed_spawn(task<result<address>> spawning) {
  const result<address> born = co_await spawning;
  if (!born) co_return born.error();
  co_return ref_to<P>(*born);
}

template <auto F, class... Args>
auto spawn_kind(node_core& node, std::string_view where, const kind<F>& k, Args&&... args) {
  using arguments = typename kind<F>::arguments;
  using P = typename kind<F>::protocol_type;
  check_protocol_travels(static_cast<P*>(nullptr));
  static_assert(sizeof...(Args) == std::tuple_size_v<arguments>,
                "spawn_on takes exactly the kind's arguments");
  const arguments values{unwrap(std::forward<Args>(args))...};
  result<std::string> encoded = encode_arguments(node, std::string(where), [&](writer& out) {
    std::apply(
        [&](const auto&... each) { (codec<std::remove_cvref_t<decltype(each)>>::encode(out, each), ...); },
        values);
  });
  return typed_spawn<P>(spawn_remote(node, std::string(where), std::string(k.name),
                                     arguments_schema(static_cast<arguments*>(nullptr)), std::move(encoded)));
}

}  // namespace detail
}  // namespace troupe
