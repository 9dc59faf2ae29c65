// gcc12: copied
// co_await of an awaiter that is a glvalue, but no variable, no member of one, and not what a plain pointer points at:
// the copy is awaited.
#include "shape.hpp"

using namespace shape;

namespace {

struct awaiter {
  awaiter() = default;
  awaiter(const awaiter&) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) noexcept { touched = true; }
  void await_resume() const noexcept {}
  bool touched = false;
};
struct converts {
  awaiter* to;
  awaiter& operator co_await() const noexcept { return *to; }
};
awaiter& pass(awaiter& a) { return a; }

coroutine moved() {
  awaiter a;
  co_await std::move(a);  // reported: copied-awaiter
  copied = !a.touched;
}
coroutine returned() {
  awaiter a;
  co_await pass(a);  // reported: copied-awaiter
  copied = !a.touched;
}
coroutine element() {
  std::vector<awaiter> v(1);
  co_await v[0];  // reported: copied-awaiter
  copied = !v[0].touched;
}
coroutine pointed_at() {
  const auto p = std::make_unique<awaiter>();
  co_await *p;  // reported: copied-awaiter
  copied = !p->touched;
}
coroutine in_parentheses() {
  awaiter a;
  co_await (a);  // reported: copied-awaiter
  copied = !a.touched;
}
coroutine by_operator() {
  awaiter a;
  converts c{&a};
  co_await c;  // reported: copied-awaiter
  copied = !a.touched;
}

}  // namespace

int main() { return report({moved, returned, element, pointed_at, in_parentheses, by_operator}); }
