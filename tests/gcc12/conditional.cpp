// gcc12: destroyed twice
// A ?: that gives an object with a destructor (not a reference to one), in a full expression with co_await.
#include "shape.hpp"

using namespace shape;

namespace {

counted make() { return counted(1); }

coroutine argument() {
  const bool b = yes();
  co_await by_value(b ? counted(1) : counted(2));  // reported: conditional
}
coroutine of_functions() {
  const bool b = yes();
  co_await by_reference(b ? make() : make());  // reported: conditional
}
coroutine awaits_in_an_arm() {
  const bool b = yes();
  counted c = b ? co_await counted_operation() : counted(2);  // reported: conditional
  use(c);
}

}  // namespace

int main() { return report({argument, of_functions, awaits_in_an_arm}); }
