// Reading orders.csv and stock.csv; see input.hpp.
#include "input.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <unordered_map>

namespace orders {

namespace {

constexpr std::string_view orders_header = "id,sku,quantity,unit_cents,customer,card";
constexpr std::string_view stock_header = "sku,quantity";

// A value from a file for an error message: short, printable, in quotes.
std::string quoted(std::string_view value) {
  constexpr std::size_t shown = 60;
  std::string text = "\"";
  for (const char c : value.substr(0, shown)) text += c >= ' ' && c <= '~' ? c : '?';
  text += value.size() > shown ? "...\"" : "\"";
  return text;
}

troupe::setup_error line_error(const std::string& path, std::uint64_t file_line, const std::string& what) {
  return troupe::setup_error(path + ":" + std::to_string(file_line) + ": " + what);
}

file_result<void> expect_header(line_reader& lines, std::string_view header) {
  const auto first = lines.next();
  if (!first) return first.error();
  if (*first && **first == header) return {};
  const std::string found = *first ? quoted(**first) : "an empty file";
  return line_error(lines.path(), 1, "found " + found + ", expected the header " + quoted(header));
}

// The item, or what is wrong with the line.
file_result<stock_item> parse_stock(std::string_view text) {
  if (text.size() > max_line_bytes) {
    return troupe::setup_error{"the line is over " + std::to_string(max_line_bytes) + " bytes"};
  }
  const auto comma = text.find(',');
  if (comma == std::string_view::npos || text.find(',', comma + 1) != std::string_view::npos) {
    return troupe::setup_error{quoted(text) + " has not two fields, expected sku,quantity"};
  }
  if (comma == 0) return troupe::setup_error{quoted(text) + " has an empty sku"};
  const auto quantity = parse_u64(text.substr(comma + 1));
  if (!quantity) {
    return troupe::setup_error{"quantity " + quoted(text.substr(comma + 1)) +
                               " is not an unsigned 64-bit decimal"};
  }
  return stock_item{std::string(text.substr(0, comma)), *quantity};
}

}  // namespace

troupe::setup_error file_error(std::string_view action, const std::string& path, int error_number) {
  return troupe::setup_error("cannot " + std::string(action) + " " + path + ": " +
                             std::generic_category().message(error_number));
}

file_result<line_reader> line_reader::open(std::string path) {
  file_handle file(std::fopen(path.c_str(), "rb"));
  if (!file) return file_error("open", path, errno);
  return line_reader(std::move(path), std::move(file));
}

// False at the end of the file, or when reading failed.
bool line_reader::refill() {
  const std::size_t size = std::fread(block_.data(), 1, block_.size(), file_.get());
  unread_ = std::string_view(block_.data(), size);
  return size > 0;
}

void line_reader::keep(std::string_view piece) {
  line_size_ += piece.size();
  line_.append(piece.substr(0, max_line_bytes + 1 - line_.size()));
}

std::string_view line_reader::finish_line() {
  const bool whole = line_size_ == line_.size();  // in a cut line the last byte kept is not the last byte
  if (whole && line_.ends_with('\r')) line_.pop_back();
  return line_;
}

file_result<std::optional<std::string_view>> line_reader::next() {
  line_.clear();
  line_size_ = 0;
  while (!unread_.empty() || refill()) {
    const auto end = unread_.find('\n');
    keep(unread_.substr(0, end));
    if (end != std::string_view::npos) {
      unread_.remove_prefix(end + 1);
      return std::optional(finish_line());
    }
    unread_ = {};
  }
  if (std::ferror(file_.get()) != 0) return file_error("read", path_, errno);
  if (line_size_ == 0) return std::optional<std::string_view>();
  return std::optional(finish_line());
}

file_result<order_reader> order_reader::open(std::string path) {
  auto lines = line_reader::open(std::move(path));
  if (!lines) return lines.error();
  if (const auto header = expect_header(*lines, orders_header); !header) return header.error();
  return order_reader(std::move(*lines));
}

file_result<std::optional<order_row>> order_reader::next() {
  const auto text = lines_.next();
  if (!text) return text.error();
  if (!*text) return std::optional<order_row>();
  ++line_;
  return std::optional(order_row{line_, parse_order(**text, line_)});
}

file_result<std::vector<stock_item>> read_stock(const std::string& path) {
  auto lines = line_reader::open(path);
  if (!lines) return lines.error();
  if (const auto header = expect_header(*lines, stock_header); !header) return header.error();
  std::vector<stock_item> items;
  std::unordered_map<std::string, std::uint64_t> first_seen;  // SKU -> line of the file
  for (std::uint64_t file_line = 2;; ++file_line) {
    const auto text = lines->next();
    if (!text) return text.error();
    if (!*text) return items;
    if (items.size() == max_stock_items) {
      return line_error(path, file_line, "more than " + std::to_string(max_stock_items) + " SKUs");
    }
    auto item = parse_stock(**text);
    if (!item) return line_error(path, file_line, item.error().text);
    const auto [seen, is_new] = first_seen.emplace(item->sku, file_line);
    if (!is_new) {
      return line_error(path, file_line,
                        "sku " + quoted(item->sku) + " was already given in line " +
                            std::to_string(seen->second) + "; keep one of the two");
    }
    items.push_back(std::move(*item));
  }
}

}  // namespace orders
