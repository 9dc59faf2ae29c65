// gcc12: never ends
// A condition that awaits, in a coroutine (no lambda) that declares no variable and no type of its own. Parameters
// do not cure it.
#include "shape.hpp"

using namespace shape;

namespace {

coroutine in_if() {
  if (co_await operation(7) == 7) use(1);  // reported: bare-condition
}
coroutine negated() {
  if (!co_await operation(7)) use(1);  // reported: bare-condition
}
coroutine second() {
  co_await operation(1);
  if (co_await operation(7) == 7) co_return;  // reported: bare-condition
  use(1);
}
coroutine in_while() {
  while (co_await operation(7) != 7) use(1);  // reported: bare-condition
}
coroutine in_do() {
  do {  // reported: bare-condition
  } while (co_await operation(7) != 7);
}
coroutine in_switch() {
  switch (co_await operation(7)) {  // reported: bare-condition
    case 7: use(1);
  }
}
coroutine in_try() {
  try {
    if (co_await operation(7) == 7) use(1);  // reported: bare-condition
  } catch (...) {
    use(2);
  }
}
coroutine with_a_parameter(int n) {
  if (co_await operation(n) == 7) use(1);  // reported: bare-condition
}
template <class T>
coroutine of_a_template(T n) {
  if (co_await operation(n) == 7) use(1);  // reported: bare-condition
}
coroutine parameter() { return with_a_parameter(7); }
coroutine instance() { return of_a_template(7); }

}  // namespace

int main() {
  return report({in_if, negated, second, in_while, in_do, in_switch, in_try, parameter, instance});
}
