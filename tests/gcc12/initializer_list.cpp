// gcc12: does not compile
// A braced list that becomes a std::initializer_list, in a full expression with co_await.
#include "shape.hpp"

using namespace shape;

static int count(const std::vector<std::string>& all) { return static_cast<int>(all.size()); }

static coroutine argument() {
  co_await operation(count({"a", "b"}));  // reported: initializer-list
}

int main() { return report({argument}); }
