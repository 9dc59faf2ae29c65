#include <troupe/accounting.hpp>

#include <numeric>

#include "books.hpp"

namespace troupe {

std::uint64_t accounting::undelivered_total() const noexcept {
  return std::accumulate(undelivered.begin(), undelivered.end(), std::uint64_t{0});
}

bool accounting::balanced() const noexcept {
  return accepted_local + accepted_inbound == taken + pending + handed_over + undelivered_total() + unknown;
}

std::string accounting::text() const {
  std::string line = "accepted " + std::to_string(accepted_local) + " local + " +
                     std::to_string(accepted_inbound) + " inbound = taken " + std::to_string(taken) +
                     " + pending " + std::to_string(pending) + " + handed over " +
                     std::to_string(handed_over) + " + unknown " + std::to_string(unknown) +
                     " + undelivered " + std::to_string(undelivered_total());
  for (std::size_t i = 0; i < reasons; ++i) {
    if (undelivered[i] == 0) continue;
    line += " (" + std::string(to_string(static_cast<errc>(i))) + " " + std::to_string(undelivered[i]) + ")";
  }
  return line + (balanced() ? ", balanced" : ", NOT BALANCED");
}

void detail::books::sum_into(accounting& a) const noexcept {
  a.accepted_local += get(entry::accepted_local);
  a.accepted_inbound += get(entry::accepted_inbound);
  a.taken += get(entry::taken);
  a.handed_over += get(entry::handed_over);
  a.unknown += get(entry::unknown);
  a.refused += get(entry::refused);
  a.replies_lost += get(entry::replies_lost);
  for (std::size_t i = 0; i < accounting::reasons; ++i) {
    a.undelivered[i] += counts_[index(entry::undelivered) + i].load(std::memory_order_relaxed);
  }
}

}  // namespace troupe
