// troupe::ref<P>: a typed handle to an actor, wherever it lives.
//
// A ref is 16 bytes, trivially copyable, and owns nothing: it stays valid as a value when its actor ends
// (sends then answer no_such_actor), and it may travel inside messages. ref<account> converts to ref<deposit>
// and to ref<> and keeps its identity: equality and hash ignore the protocol. Sending what the protocol lacks
// does not compile. A default-constructed ref is nobody. A ref must not outlive the node it came from.
//
// send and ask are for actors; try_send may be called from any thread; blocking_send and blocking_ask are for
// threads that are not workers (asserted).
#pragma once

#include <functional>
#include <utility>

#include <troupe/ask.hpp>
#include <troupe/detail/address.hpp>
#include <troupe/detail/protocol_info.hpp>
#include <troupe/detail/views.hpp>
#include <troupe/give.hpp>
#include <troupe/protocol.hpp>
#include <troupe/send.hpp>

namespace troupe {

template <class P = protocol<>>
class ref;

namespace detail {

/// Room for one message that is yet to be built (delivery.cpp).
error reserve(const address& to, const value_type& type) noexcept;
void unreserve(const address& to, const value_type& type) noexcept;
error commit(const address& to, envelope* e) noexcept;
error send_blocking(const address& to, envelope* e, duration within);
receipt* ask_blocking(const address& to, envelope* e, duration within, error& failure);

template <class P>
ref<P> ref_to(const address& to) noexcept;
template <class P>
const address& address_of(const ref<P>& r) noexcept;

template <class M>
constexpr void check_message() {
  if constexpr (has_variable_priority<M>) compile_error<message_priority_must_be_constexpr<M>>();
  if constexpr (holds_view<M>()) compile_error<message_holds_a_pointer_reference_or_view<M>>();
  if constexpr (request<M>) {
    if constexpr (holds_view<reply_of<M>>()) compile_error<message_holds_a_pointer_reference_or_view<M>>();
  }
}

/// Null: there is no memory for it.
template <class M, class... Args>
envelope* envelope_from(Args&&... args) {
  check_message<M>();
  return make_envelope<M>([&]() -> M { return build_message<M>(std::forward<Args>(args)...); });
}

template <class M, class... Args>
envelope* request_from(Args&&... args) {
  return with_receipt(envelope_from<M>(std::forward<Args>(args)...), reply_type_of<M>());
}

}  // namespace detail

template <class P>
class ref {
 public:
  using accepts = detail::as_protocol_t<P>;

  ref() noexcept = default;

  /// Forgets what the narrower protocol does not know.
  template <class Q>
    requires(!std::same_as<Q, P> && detail::is_subset<accepts, detail::as_protocol_t<Q>>)
  ref(const ref<Q>& wider) noexcept : to_(detail::address_of(wider)) {}  // NOLINT: a conversion by design

  explicit operator bool() const noexcept { return static_cast<bool>(to_); }

  /// co_await it: result<void>. Waits while the target has no room.
  template <class M, class... Args>
  send_operation send(Args&&... args) const {
    check<M, false, Args...>();
    return send_operation(to_, detail::envelope_from<M>(std::forward<Args>(args)...));
  }

  /// Never waits: ok, full, no_such_actor, stopped, unreachable, too_large or no_memory. Any thread. When there is no
  /// room the message is not built and the arguments are as they were; only one for another node that takes over 64 KiB
  /// encoded may find out later that it is too much for the credit there, and then it is gone. From a thread that is no
  /// worker, a message to another node is encoded later, by a worker: what is then too large is a dead letter.
  template <class M, class... Args>
  result<void> try_send(Args&&... args) const {
    check<M, false, Args...>();
    if (const error refused = detail::reserve(to_, detail::value_type_of<M>); refused.code != errc::ok)
      return refused;
    detail::envelope* e = nullptr;
    try {
      e = detail::envelope_from<M>(std::forward<Args>(args)...);
    } catch (...) {
      detail::unreserve(to_, detail::value_type_of<M>);
      throw;
    }
    if (e == nullptr) {
      detail::unreserve(to_, detail::value_type_of<M>);
      return errc::no_memory;
    }
    if (const error lost = detail::commit(to_, e); lost.code != errc::ok) return lost;
    return {};
  }

  /// co_await it, or co_await ask(...).within(d): result<reply_of<M>>.
  template <class M, class... Args>
  auto ask(Args&&... args) const {
    if constexpr (check<M, true, Args...>()) {
      return ask_operation<reply_of<M>>(to_, detail::request_from<M>(std::forward<Args>(args)...));
    } else {
      return ask_operation<void>(to_, nullptr);  // so that the check's is the only error
    }
  }

  /// As send, for threads that are not workers; `expired` when there is no room within `d`.
  template <class M, class... Args>
  result<void> blocking_send(duration d, Args&&... args) const {
    check<M, false, Args...>();
    const error e = detail::send_blocking(to_, detail::envelope_from<M>(std::forward<Args>(args)...), d);
    if (e.code != errc::ok) return e;
    return {};
  }

  /// As ask, for threads that are not workers.
  template <class M, class... Args>
  auto blocking_ask(duration d, Args&&... args) const {
    if constexpr (check<M, true, Args...>()) {
      error failure = errc::ok;
      detail::receipt* const r =
          detail::ask_blocking(to_, detail::request_from<M>(std::forward<Args>(args)...), d, failure);
      return take_reply<reply_of<M>>(r, failure);
    }
  }

  friend bool operator==(const ref&, const ref&) = default;

 private:
  template <class Q>
  friend ref<Q> detail::ref_to(const detail::address& to) noexcept;
  template <class Q>
  friend const detail::address& detail::address_of(const ref<Q>& r) noexcept;

  /// M is sent, or asked, with these arguments; says what is wrong with that.
  template <class M, bool Asked, class... Args>
  static constexpr bool check() {
    constexpr bool accepted = troupe::accepts<accepts, M>;
    if constexpr (!accepted) {
      detail::compile_error<detail::message_is_not_in_the_protocol_of_this_ref<M>>();
    } else if constexpr (request<M> && !Asked) {
      detail::compile_error<detail::use_ask_because_this_is_a_request<M>>();
    } else if constexpr (!request<M> && Asked) {
      detail::compile_error<detail::use_send_because_this_is_no_request<M>>();
    }
    detail::check_arguments<Args...>();
    return accepted && request<M> == Asked;
  }

  template <class R>
  static result<R> take_reply(detail::receipt* r, error failure) {
    if (r == nullptr) return failure;
    const std::unique_ptr<detail::receipt, void (*)(detail::receipt*)> own(
        r, [](detail::receipt* done) { detail::destroy(done); });
    if (r->outcome.code != errc::ok) return r->outcome;
    if constexpr (std::is_void_v<R>) {
      return {};
    } else {
      return std::move(*static_cast<R*>(r->storage()));
    }
  }

  detail::address to_;
};

/// Refs with different protocols are equal when they mean the same actor.
template <class P, class Q>
  requires(!std::same_as<P, Q>)
bool operator==(const ref<P>& a, const ref<Q>& b) noexcept {
  return detail::address_of(a) == detail::address_of(b);
}

template <class P>
ref<P> detail::ref_to(const address& to) noexcept {
  ref<P> r;
  r.to_ = to;
  return r;
}
template <class P>
const detail::address& detail::address_of(const ref<P>& r) noexcept {
  return r.to_;
}

}  // namespace troupe

namespace troupe {

namespace detail {
/// Each message of a protocol, with its reply.
template <class M>
struct parts_of_message {
  using type = codec_parts<M>;
};
template <>
struct parts_of_message<down> {
  using type = codec_parts<>;
};
template <request M>
struct parts_of_message<M> {
  using type = std::conditional_t<std::is_void_v<reply_of<M>>, codec_parts<M>, codec_parts<M, reply_of<M>>>;
};
template <class... A, class... B>
codec_parts<A..., B...> joined(codec_parts<A...>, codec_parts<B...>);
template <class P>
struct parts_of_protocol {
  using type = codec_parts<>;
};
template <class M, class... Ms>
struct parts_of_protocol<protocol<M, Ms...>> {
  using type = decltype(joined(typename parts_of_message<M>::type(),
                               typename parts_of_protocol<protocol<Ms...>>::type()));
};

void encode_address(writer& out, const address& a);
void decode_address(reader& in, address& a);
}  // namespace detail

/// A ref travels as the identity of its actor, whatever the lane. A ref whose protocol has a message that
/// cannot be encoded does not travel, nor does a message that holds one: both are local-only.
template <class P>
struct codec<ref<P>> {
  using parts = typename detail::parts_of_protocol<typename ref<P>::accepts>::type;
  static void encode(writer& out, const ref<P>& r) { detail::encode_address(out, detail::address_of(r)); }
  static void decode(reader& in, ref<P>& r) {
    detail::address a;
    detail::decode_address(in, a);
    r = detail::ref_to<P>(a);
  }
  static constexpr void schema(schema_writer& out) { out.text("ref"); }
  static constexpr std::size_t min_size = 1;
};

}  // namespace troupe

template <class P>
struct std::hash<troupe::ref<P>> {
  std::size_t operator()(const troupe::ref<P>& r) const noexcept {
    return troupe::detail::address_of(r).hash();
  }
};
