// expect: message_holds_a_pointer_reference_or_view<note>
// Messages are moved or copied, never shared.
#include <troupe/troupe.hpp>

struct note {
  int number;
  std::string_view text;
};
void f(troupe::ref<note> r) { (void)r.try_send<note>(1); }
