// gcc12: right
// The spellings that are right on every compiler, and that no rule may report.
#include "shape.hpp"

using namespace shape;

namespace {

struct trivial {
  int a = 0;
  int b = 0;
};

coroutine named_and_moved() {
  aggregate a{1};
  co_await by_value(std::move(a));
}
coroutine copied_in() {
  aggregate a{1};
  co_await by_value(a);
}
coroutine function_result() { co_await by_value(make_aggregate()); }
coroutine class_with_constructor() { co_await by_reference(with_constructor{1}); }
coroutine pair() { co_await by_reference(std::pair<int, counted>(1, counted())); }
coroutine sized_vector() { co_await by_reference(std::vector<aggregate>(3)); }
coroutine trivial_aggregate() { co_await by_value(trivial{1, 2}); }
coroutine trivial_from_await() {
  trivial t{co_await operation(1), 2};
  use(t);
}
coroutine constructor_from_await() {
  with_constructor c{co_await operation(1)};
  use(c);
}
coroutine aggregate_in_another_statement() {
  const int n = co_await operation(1);
  aggregate a{n};
  use(a, aggregate{2});
  co_await operation(a.number);
}
coroutine aggregate_in_a_lambda() {
  co_await by_value([] { use(aggregate{1}); });
}
coroutine await_in_a_lambda() {
  const auto run = []() -> coroutine { co_await operation(1); };
  use(aggregate{1}, run);
  const coroutine c = run();
  c.frame.resume();
  c.frame.destroy();
  co_return;
}
coroutine lambda_by_reference() {
  counted c;
  co_await by_value([&c] { use(c); });
}
coroutine lambda_of_numbers() {
  const int n = 1;
  co_await by_value([n] { use(n); });
}
coroutine named_lambda() {
  counted c;
  auto f = [c] { use(c); };
  co_await by_value(std::move(f));
}
coroutine conditional_of_variables() {
  const bool b = yes();
  counted x;
  counted y;
  co_await by_reference(b ? x : y);
}
coroutine conditional_of_numbers() {
  const bool b = yes();
  use((b ? use(counted(1)) : 2) + co_await operation(1));
}
coroutine named_list() {
  const std::vector<std::string> v{"a", "b"};
  co_await by_reference(v);
}
coroutine named_awaiter() {
  operation o(1);
  co_await o;
  operation* const p = &o;
  co_await *p;
}
coroutine condition_with_a_local() {
  const int seven = co_await operation(7);
  if (seven == 7 && co_await operation(7) == 7) use(1);
}
coroutine condition_with_a_later_local() {
  if (co_await operation(7) == 7) {
    const int late = 1;
    use(late);
  }
}
coroutine no_condition() { use(co_await operation(7) == 7); }
coroutine awaits_below_a_condition() {
  if (yes()) co_await operation(7);
}

}  // namespace

int main() {
  return report({named_and_moved,
                 copied_in,
                 function_result,
                 class_with_constructor,
                 pair,
                 sized_vector,
                 trivial_aggregate,
                 trivial_from_await,
                 constructor_from_await,
                 aggregate_in_another_statement,
                 aggregate_in_a_lambda,
                 await_in_a_lambda,
                 lambda_by_reference,
                 lambda_of_numbers,
                 named_lambda,
                 conditional_of_variables,
                 conditional_of_numbers,
                 named_list,
                 named_awaiter,
                 condition_with_a_local,
                 condition_with_a_later_local,
                 no_condition,
                 awaits_below_a_condition});
}
