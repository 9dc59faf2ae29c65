#include "by_hand.hpp"

#include <pthread.h>
#include <sched.h>

namespace bench::by_hand {

void pin(unsigned processor) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(processor, &only);
  (void)pthread_setaffinity_np(pthread_self(), sizeof only, &only);  // refused: it measures what it can
}

}  // namespace bench::by_hand
