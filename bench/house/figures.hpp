// What has been measured: a row for each case, workers, placement and system, and the forms it is printed in.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "bench_case.hpp"

namespace bench {

inline constexpr char troupe_system[] = "troupe";
inline constexpr char yardstick_system[] = "yardstick";

const char* to_string(placement p) noexcept;

/// One case on so many workers, placed so; by which every row is found.
struct place {
  std::string name;
  unsigned workers = 1;
  placement where = placement::free;
  friend bool operator==(const place&, const place&) = default;
};
inline place place_of(const bench_case& c) { return {c.name, c.workers, c.where}; }

struct row {
  place of;
  std::string system;
  std::string unit;
  std::uint64_t size = 0;           // bench_case::size
  std::vector<double> values = {};  // one for each run
  bool recorded = false;  // not measured now: its one value is of another day, and its runs are none

  double median() const;
  double least() const;
  double most() const;
};

class figures {
 public:
  /// Adds a run's value to its row, which comes into being with its first.
  void add(const bench_case& of, const std::string& system, double value);
  void add(const bench_case& of, const recorded_figure& figure);

  /// One object a line: {"case","workers","placement","system","value","unit","runs","min","max","yardstick_ratio"}. The
  /// ratio is value ÷ the yardstick's, or null where there is no yardstick.
  void write_json(std::FILE* to) const;
  /// A Markdown table: a line for each case, a column for each system; recorded figures have a star.
  void write_table(std::FILE* to) const;
  /// A scaling curve for each case that has one, as FOLDER/CASE_WORKERS.svg. False: it cannot be written.
  bool draw_charts(const std::string& folder) const;  // chart.cpp

 private:
  const row* find(const place& of, const std::string& system) const;
  row& row_of(const bench_case& of, const std::string& system);
  std::vector<row> rows_;  // in the order of their first values
};

}  // namespace bench
