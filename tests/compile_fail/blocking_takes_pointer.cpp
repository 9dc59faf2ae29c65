// expect: argument_of_blocking_is_a_pointer_reference_or_view<
// It would dangle: the call may outlive the actor that waits for it.
#include <troupe/troupe.hpp>

int first_of(int* where);

troupe::actor run(troupe::self<troupe::protocol<>>) {
  int here = 1;
  (void)co_await troupe::blocking(first_of, &here);
}
