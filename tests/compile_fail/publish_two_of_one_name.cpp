// expect: messages_of_one_name_cannot_travel_in_one_protocol<.*box<(int|char)>, *.*box<(int|char)>
// A wire name leaves template arguments out.
#include <troupe/troupe.hpp>

namespace app {
template <class T>
struct box {
  T value;
};
}  // namespace app
using boxes = troupe::protocol<app::box<int>, app::box<char>>;

troupe::task<> f(troupe::node& n, troupe::ref<boxes> r) { (void)co_await n.publish("x", r); }
