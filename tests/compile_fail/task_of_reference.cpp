// expect: a task returns a value
// What a task returns outlives the task.
#include <troupe/troupe.hpp>

troupe::task<int&> f(int& number) { co_return number; }
