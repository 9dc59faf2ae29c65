// expect: message_priority_must_be_constexpr<alarm_bell>
// A priority is the type's: one that could change would not say in which lane a message lies.
#include <troupe/troupe.hpp>

struct alarm_bell {
  static inline troupe::priority priority = troupe::priority::high;
};
void f(troupe::ref<alarm_bell> r) { (void)r.try_send<alarm_bell>(); }
