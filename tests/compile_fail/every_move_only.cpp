// expect: a message that is sent again and again is copied
// A message that is sent again and again is copied each time.
#include <memory>

#include <troupe/troupe.hpp>

struct parcel {
  std::unique_ptr<int> content;
};

troupe::actor run(troupe::self<parcel> me) {
  (void)me.every<parcel>(std::chrono::seconds(1), me.me(), std::make_unique<int>(1));
  co_await me.serve([](const parcel&) {});
}
