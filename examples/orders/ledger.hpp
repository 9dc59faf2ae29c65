// Writing ledger.csv in input order from entries that arrive in any order, and the SHA-256 of a file.
//
// Entries that come early are held back until the lines before them have come; how many may be held is
// limited, so the pipeline must bound how many orders it has under way. The file appears under its name only
// when it is complete: until then it is NAME.partial, which an unfinished writer removes.
//
// Thread-safety: a writer belongs to one actor or thread. Writing blocks on the file.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "input.hpp"
#include "rules.hpp"

namespace orders {

/// How many lines got each status, indexed by it.
using tally = std::array<std::uint64_t, status_count>;

class ledger_writer {
 public:
  static constexpr std::size_t max_held = 65536;

  static file_result<ledger_writer> create(std::string path);

  /// Refused, as a peer's mistake: a line that came already, line 0, an unknown status, one too many held.
  file_result<void> add(const entry& e);

  /// All `lines` entries came: the file is whole and appears under its name. Nothing may be added after it.
  file_result<void> finish(std::uint64_t lines);

  std::uint64_t written() const noexcept { return next_line_ - 1; }
  std::size_t held() const noexcept { return early_.size(); }
  const tally& counts() const noexcept { return counts_; }

 private:
  struct discard {
    std::string partial;
    void operator()(std::FILE* file) const noexcept;
  };
  using partial_file = std::unique_ptr<std::FILE, discard>;

  ledger_writer(std::string path, partial_file file) : path_(std::move(path)), file_(std::move(file)) {}
  bool write(const entry& e);

  std::string path_;
  partial_file file_;  // empty once finished
  std::map<std::uint64_t, entry> early_;
  std::uint64_t next_line_ = 1;
  tally counts_{};
};

/// The SHA-256 of the file's bytes as 64 lower-case hex digits.
file_result<std::string> sha256_file(const std::string& path);

}  // namespace orders
