// Writing ledger.csv in input order from entries that arrive in any order, and the SHA-256 of a file.
//
// Entries that come early are held back until the lines before them have come; how many may be held is
// limited, so the pipeline must bound how many orders it has under way. The file appears under its name only
// when it is complete: until then it is NAME.partial. An unfinished writer leaves that, however it ends, so that another
// one can go on with it.
//
// Thread-safety: a writer belongs to one actor or thread. Writing blocks on the file.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>

#include "input.hpp"
#include "rules.hpp"

namespace orders {

/// Where an unfinished ledger is.
inline std::string partial_of(const std::string& ledger) { return ledger + ".partial"; }

/// How many lines got each status, indexed by it.
using tally = std::array<std::uint64_t, status_count>;

class ledger_writer {
 public:
  static constexpr std::size_t max_held = 65536;

  static file_result<ledger_writer> create(std::string path);
  /// Goes on after the last line of NAME.partial that is whole and has its number; without that file, from the start.
  static file_result<ledger_writer> resume(std::string path);

  /// Refused, as a peer's mistake: a line that came already, line 0, an unknown status, one too many held.
  file_result<void> add(const entry& e);

  /// All `lines` entries came: the file is whole and appears under its name. Nothing may be added after it.
  file_result<void> finish(std::uint64_t lines);

  /// Whether the entry of that line came already.
  bool has(std::uint64_t line) const { return line < next_line_ || early_.contains(line); }
  std::uint64_t written() const noexcept { return next_line_ - 1; }
  std::size_t held() const noexcept { return early_.size(); }
  const tally& counts() const noexcept { return counts_; }  // of the lines that this writer wrote

 private:
  ledger_writer(std::string path, file_handle file) : path_(std::move(path)), file_(std::move(file)) {}
  bool write(const entry& e);

  std::string path_;
  file_handle file_;  // empty once finished
  std::map<std::uint64_t, entry> early_;
  std::uint64_t next_line_ = 1;
  tally counts_{};
};

/// The SHA-256 of the file's bytes as 64 lower-case hex digits.
file_result<std::string> sha256_file(const std::string& path);

}  // namespace orders
