// expect: message_in_an_anonymous_namespace_cannot_travel<.*secret>
// No other program can mean a message of an anonymous namespace.
#include <troupe/troupe.hpp>

namespace {
struct secret {
  int number;
};
}  // namespace

troupe::task<> f(troupe::node& n) { (void)co_await n.lookup<secret>("x"); }
