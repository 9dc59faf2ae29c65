// gcc12: destroyed twice
// A lambda that captures by value something with a destructor, in a full expression with co_await.
#include "shape.hpp"

using namespace shape;

namespace {

coroutine argument() {
  counted c;
  co_await by_value([c] { use(c); });  // reported: lambda
}
coroutine by_initializer() {
  co_await by_reference([c = counted()] { use(c); });  // reported: lambda
}
coroutine beside() {
  counted c;
  use([c] { use(c); }, co_await operation(1));  // reported: lambda
}
coroutine called() {
  counted c;
  co_await [c] { return operation(use(c)); }();  // reported: lambda
}
coroutine awaited_into_a_capture() {
  auto f = [c = co_await counted_operation()] { use(c); };  // reported: lambda
  f();
}

}  // namespace

int main() { return report({argument, by_initializer, beside, called, awaited_into_a_capture}); }
