// expect: message_holds_a_pointer_reference_or_view<find>
// Neither are replies.
#include <troupe/troupe.hpp>

struct find {
  using reply = const char*;
};
troupe::task<> f(troupe::ref<find> r) { (void)co_await r.ask<find>(); }
