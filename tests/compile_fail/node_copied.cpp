// expect: node
// A node is one; refs to its actors are what is passed around.
#include <troupe/troupe.hpp>

troupe::node f(const troupe::node& n) { return n; }
