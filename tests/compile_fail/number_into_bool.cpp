// expect: a bool and a number do not convert into each other
// Write the comparison out.
#include <troupe/troupe.hpp>

struct lamp {
  bool on;
  int level;
};

void f(troupe::ref<lamp> r) { (void)r.try_send<lamp>(1, 2); }
