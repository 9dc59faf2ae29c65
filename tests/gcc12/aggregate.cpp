// gcc12: destroyed twice
// An aggregate with a destructor, built from braces or parentheses in a full expression with co_await: as a
// temporary anywhere in it, as a default argument, and even as the variable that the expression initializes.
#include "shape.hpp"

using namespace shape;

namespace {

struct outer {
  int number = 0;
  aggregate inner = {};
};
struct takes_it {
  explicit takes_it(const aggregate& a) : number(a.number) {}
  int number;
};
int with_default(int n, aggregate = {}) { return n; }

coroutine argument() { co_await by_value(aggregate{1}); }               // reported: aggregate
coroutine by_braces() { co_await by_reference(aggregate{}); }           // reported: aggregate
coroutine nested() { co_await by_reference(outer{1}); }                 // reported: aggregate
coroutine by_name() { co_await by_reference(aggregate{.number = 1}); }  // reported: aggregate
coroutine inside_a_call() { co_await by_value(use(aggregate{1})); }     // reported: aggregate
coroutine inside_a_constructor() { co_await by_value(takes_it({1})); }  // reported: aggregate
coroutine beside() { use(aggregate{1}, co_await operation(1)); }        // reported: aggregate
coroutine member() { co_await operation(aggregate{1}.number); }         // reported: aggregate
coroutine by_default() { co_await operation(with_default(1)); }         // reported: aggregate
coroutine variable() {
  aggregate named{co_await operation(1)};  // reported: aggregate
  use(named);
}
coroutine assigned() {
  aggregate named;
  named = {co_await operation(1)};  // reported: aggregate
}
coroutine array() {
  counted two[2] = {counted(co_await operation(1)), counted(2)};  // reported: aggregate
  use(two);
}

}  // namespace

int main() {
  return report({argument, by_braces, nested, by_name, inside_a_call, inside_a_constructor, beside, member,
                 by_default, variable, assigned});
}
