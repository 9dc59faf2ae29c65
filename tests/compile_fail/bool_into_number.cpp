// expect: a bool and a number do not convert into each other
// Write the number.
#include <troupe/troupe.hpp>

struct lamp {
  bool on;
  int level;
};

void f(troupe::ref<lamp> r) { (void)r.try_send<lamp>(true, true); }
