// Reading orders.csv and stock.csv: lines of bounded length, headers checked, every failure one clear line.
//
// A line ends in LF, CRLF or the end of the file (there, too, a CR in last place belongs to the line ending).
// An empty last line after the final LF is no line. In orders.csv a bad line is data (malformed); in
// stock.csv it is an error, and so is a SKU that comes twice: guessing which one counts would change the
// ledger silently.
//
// Thread-safety: a reader belongs to one thread. Reading blocks on the file.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <troupe/result.hpp>
#include <vector>

#include "rules.hpp"

namespace orders {

/// The error is one line that names the file, the place, the value and what was expected.
template <class T>
using file_result = troupe::result<T, troupe::setup_error>;

/// "cannot <action> <path>: <reason of errno>".
troupe::setup_error file_error(std::string_view action, const std::string& path, int error_number);

struct file_closer {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using file_handle = std::unique_ptr<std::FILE, file_closer>;

class line_reader {
 public:
  static file_result<line_reader> open(std::string path);

  /// The next line without its line ending, valid until the next call; nothing at the end of the file.
  /// A line over max_line_bytes is cut to max_line_bytes + 1, which every parser here refuses.
  file_result<std::optional<std::string_view>> next();

  const std::string& path() const noexcept { return path_; }

 private:
  line_reader(std::string path, file_handle file) : path_(std::move(path)), file_(std::move(file)) {}
  bool refill();
  void keep(std::string_view piece);
  std::string_view finish_line();

  std::string path_;
  file_handle file_;
  std::vector<char> block_ = std::vector<char>(64 * 1024);
  std::string_view unread_;      // the part of block_ not yet handed out
  std::string line_;             // at most max_line_bytes + 1
  std::uint64_t line_size_ = 0;  // what line_ would be without the cut
};

/// Nothing in `content` when the line is malformed.
struct order_row {
  std::uint64_t line = 0;
  std::optional<order> content;
};

class order_reader {
 public:
  /// Opens the file and checks its header.
  static file_result<order_reader> open(std::string path);

  /// The next row; nothing at the end of the file.
  file_result<std::optional<order_row>> next();

 private:
  explicit order_reader(line_reader lines) : lines_(std::move(lines)) {}

  line_reader lines_;
  std::uint64_t line_ = 0;
};

inline constexpr std::size_t max_stock_items = 1'000'000;

/// All of stock.csv in file order; every SKU once.
file_result<std::vector<stock_item>> read_stock(const std::string& path);

}  // namespace orders
