// troupe::protocol: the message types that an actor's mailbox accepts, and what the compiler checks with
// them.
//
//   struct deposit { std::int64_t cents; };                  // a message: a plain struct
//   struct balance { using reply = std::int64_t; };          // a request: it names the type of its reply
//   using account = troupe::protocol<deposit, balance>;
//
// A message is moved or copied, never shared: no pointers, references or views in it.
#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>

namespace troupe {

template <class... Messages>
struct protocol {
  static constexpr std::size_t size = sizeof...(Messages);
};

/// The reply type of a request.
template <class M>
using reply_of = typename M::reply;

template <class M>
concept request = requires { typename M::reply; };

namespace detail {

// Misuse is reported by instantiating `report<text<Message>>` with a template that is never defined: its
// name, which carries the message, is then in the first line of the compiler's error (static_assert on GCC
// and deleted functions on clang do not put it there).
template <class Problem>
struct report {
  char text[sizeof(Problem)];
};
template <class Problem>
constexpr void compile_error() {
  (void)sizeof(report<Problem>);
}

template <class Message>
struct message_is_not_in_the_protocol_of_this_ref;
template <class Message>
struct no_handler_for;
template <class Message>
struct handler_does_not_return_the_reply_of;
template <class Message>
struct handler_answers_twice;  // it takes a replier and returns a value
template <class Message>
struct handler_returns_a_value_but_this_is_no_request;
template <class Message>
struct handler_for_a_message_outside_the_protocol;
template <class Message>
struct use_send_because_this_is_no_request;
template <class Message>
struct use_ask_because_this_is_a_request;
template <class Message>
struct message_holds_a_pointer_reference_or_view;
template <class Message>
struct message_priority_must_be_constexpr;
template <class Message>
struct message_cannot_be_encoded_so_it_is_local_only;
template <class Message>
struct message_in_an_anonymous_namespace_cannot_travel;
template <class Message, class Other>
struct messages_of_one_name_cannot_travel_in_one_protocol;

/// A single message type stands for the protocol of just that message.
template <class P>
struct as_protocol {
  using type = protocol<P>;
};
template <class... Ms>
struct as_protocol<protocol<Ms...>> {
  using type = protocol<Ms...>;
};
template <class P>
using as_protocol_t = typename as_protocol<P>::type;

template <class M, class P>
inline constexpr bool contains = false;
template <class M, class... Ms>
inline constexpr bool contains<M, protocol<Ms...>> = (std::same_as<M, Ms> || ...);

template <class Sub, class P>
inline constexpr bool is_subset = false;
template <class... Ss, class P>
inline constexpr bool is_subset<protocol<Ss...>, P> = (contains<Ss, P> && ...);

}  // namespace detail

/// True if a mailbox with protocol P (a protocol, or one message type) accepts M.
template <class P, class M>
concept accepts = detail::contains<M, detail::as_protocol_t<P>>;

}  // namespace troupe
