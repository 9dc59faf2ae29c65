#include "figures.hpp"

#include <algorithm>

namespace bench {

const char* to_string(placement p) noexcept { return p == placement::free ? "free" : "pinned"; }

double row::median() const {
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
double row::least() const { return *std::min_element(values.begin(), values.end()); }
double row::most() const { return *std::max_element(values.begin(), values.end()); }

const row* figures::find(const place& of, const std::string& system) const {
  const auto found = std::find_if(rows_.begin(), rows_.end(),
                                  [&](const row& r) { return r.of == of && r.system == system; });
  return found != rows_.end() ? &*found : nullptr;
}

row& figures::row_of(const bench_case& of, const std::string& system) {
  if (find(place_of(of), system) == nullptr) rows_.push_back({place_of(of), system, of.unit, of.size});
  return const_cast<row&>(*find(place_of(of), system));
}
void figures::add(const bench_case& of, const std::string& system, double value) {
  row_of(of, system).values.push_back(value);
}
void figures::add(const bench_case& of, const recorded_figure& figure) {
  row& r = row_of(of, figure.system);
  r.values = {figure.value};
  r.recorded = true;
}

void figures::write_json(std::FILE* to) const {
  for (const row& r : rows_) {
    const row* const yardstick = find(r.of, yardstick_system);
    std::fprintf(to,
                 "{\"case\":\"%s\",\"workers\":%u,\"placement\":\"%s\",\"system\":\"%s\",\"value\":%.6g,"
                 "\"unit\":\"%s\",\"runs\":%zu,\"min\":%.6g,\"max\":%.6g,\"yardstick_ratio\":",
                 r.of.name.c_str(), r.of.workers, to_string(r.of.where), r.system.c_str(), r.median(),
                 r.unit.c_str(), r.recorded ? std::size_t{0} : r.values.size(), r.least(), r.most());
    if (yardstick != nullptr) {
      std::fprintf(to, "%.6g}\n", r.median() / yardstick->median());
    } else {
      std::fprintf(to, "null}\n");
    }
  }
}

void figures::write_table(std::FILE* to) const {
  std::vector<std::string> peers;
  std::vector<place> places;
  for (const row& r : rows_) {
    if (std::find(places.begin(), places.end(), r.of) == places.end()) places.push_back(r.of);
    const bool ours = r.system == troupe_system || r.system == yardstick_system;
    if (!ours && std::find(peers.begin(), peers.end(), r.system) == peers.end()) peers.push_back(r.system);
  }
  std::fprintf(to, "| case | workers | placement | unit | troupe | least to most | yardstick | ratio |");
  for (const std::string& p : peers) std::fprintf(to, " %s |", p.c_str());
  std::fprintf(to, "\n|---|---|---|---|---|---|---|---|");
  for (std::size_t i = 0; i < peers.size(); ++i) std::fprintf(to, "---|");
  std::fprintf(to, "\n");
  for (const place& at : places) {
    const row* const ours = find(at, troupe_system);
    const row* const yardstick = find(at, yardstick_system);
    const row& any = ours != nullptr ? *ours : *yardstick;
    std::fprintf(to, "| %s | %u | %s | %s |", at.name.c_str(), at.workers, to_string(at.where),
                 any.unit.c_str());
    if (ours != nullptr) {
      std::fprintf(to, " %.4g | %.4g to %.4g |", ours->median(), ours->least(), ours->most());
    } else {
      std::fprintf(to, " – | – |");
    }
    if (yardstick != nullptr) {
      std::fprintf(to, " %.4g |", yardstick->median());
    } else {
      std::fprintf(to, " – |");
    }
    if (ours != nullptr && yardstick != nullptr) {
      std::fprintf(to, " %.2f |", ours->median() / yardstick->median());
    } else {
      std::fprintf(to, " – |");
    }
    for (const std::string& p : peers) {
      const row* const r = find(at, p);
      if (r != nullptr) {
        std::fprintf(to, " %.4g%s |", r->median(), r->recorded ? "\\*" : "");
      } else {
        std::fprintf(to, " – |");
      }
    }
    std::fprintf(to, "\n");
  }
}

}  // namespace bench
