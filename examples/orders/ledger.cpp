// Writing ledger.csv, and the SHA-256 of a file; see ledger.hpp.
#include "ledger.hpp"

#include <openssl/evp.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>
#include <troupe/assert.hpp>
#include <vector>

namespace orders {

namespace {

constexpr std::string_view ledger_header = "line,id,status,amount_cents\n";

std::string text_of(const entry& e) {
  std::string text = std::to_string(e.line) + ',';
  if (e.outcome != status::malformed) text += std::to_string(e.id);
  text += ',';
  text += to_string(e.outcome);
  return text + ',' + std::to_string(e.amount_cents) + '\n';
}

bool put(std::FILE* file, std::string_view text) {
  return std::fwrite(text.data(), 1, text.size(), file) == text.size();
}

/// What may be kept of a ledger whose writer has died.
struct whole_part {
  std::uint64_t lines = 0;
  std::uint64_t bytes = 0;
};
whole_part find_whole_part(const std::string& partial) {
  std::ifstream file(partial, std::ios::binary);
  whole_part kept;
  std::string line;
  const auto next_is_whole = [&] { return std::getline(file, line) && !file.eof(); };
  if (!next_is_whole() || line + '\n' != ledger_header) return kept;
  kept.bytes = ledger_header.size();
  while (next_is_whole() && line.starts_with(std::to_string(kept.lines + 1) + ',')) {
    ++kept.lines;
    kept.bytes += line.size() + 1;
  }
  return kept;
}

struct digest_deleter {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

}  // namespace

file_result<ledger_writer> ledger_writer::create(std::string path) {
  const std::string partial = partial_of(path);
  file_handle file(std::fopen(partial.c_str(), "wb"));
  if (!file) return file_error("create", partial, errno);
  if (!put(file.get(), ledger_header)) return file_error("write", partial, errno);
  return ledger_writer(std::move(path), std::move(file));
}

file_result<ledger_writer> ledger_writer::resume(std::string path) {
  const std::string partial = partial_of(path);
  const whole_part kept = find_whole_part(partial);
  if (kept.bytes == 0) return create(std::move(path));
  std::error_code failure;
  std::filesystem::resize_file(partial, kept.bytes, failure);
  if (failure) return file_error("truncate", partial, failure.value());
  file_handle file(std::fopen(partial.c_str(), "ab"));
  if (!file) return file_error("open", partial, errno);
  ledger_writer writer(std::move(path), std::move(file));
  writer.next_line_ = kept.lines + 1;
  return writer;
}

file_result<void> ledger_writer::add(const entry& e) {
  TROUPE_ASSERT(file_, "the ledger is finished: add every entry before finish");
  const auto refuse = [&](const std::string& why) {
    return troupe::setup_error{"ledger " + path_ + ": the entry of line " + std::to_string(e.line) + " " +
                               why};
  };
  if (static_cast<std::size_t>(e.outcome) >= status_count) return refuse("has an unknown status");
  if (e.line < next_line_ || early_.contains(e.line)) return refuse("came already");
  if (e.line != next_line_) {
    if (early_.size() == max_held) {
      return refuse("is one too many to hold back while line " + std::to_string(next_line_) + " is missing");
    }
    early_.emplace(e.line, e);
    return {};
  }
  if (!write(e)) return file_error("write", path_, errno);
  while (!early_.empty() && early_.begin()->first == next_line_) {
    if (!write(early_.begin()->second)) return file_error("write", path_, errno);
    early_.erase(early_.begin());
  }
  return {};
}

bool ledger_writer::write(const entry& e) {
  ++next_line_;
  ++counts_[static_cast<std::size_t>(e.outcome)];
  return put(file_.get(), text_of(e));
}

file_result<void> ledger_writer::finish(std::uint64_t lines) {
  TROUPE_ASSERT(file_, "the ledger is finished already");
  if (written() != lines || !early_.empty()) {
    return troupe::setup_error{"ledger " + path_ + ": line " + std::to_string(next_line_) + " of " +
                               std::to_string(lines) + " is missing; " + std::to_string(early_.size()) +
                               " later entries came"};
  }
  // Buffered bytes reach the file here, so a full disk shows before the name appears.
  if (std::fflush(file_.get()) != 0) return file_error("write", path_, errno);
  if (std::rename(partial_of(path_).c_str(), path_.c_str()) != 0) return file_error("create", path_, errno);
  file_.reset();
  return {};
}

file_result<std::string> sha256_file(const std::string& path) {
  file_handle file(std::fopen(path.c_str(), "rb"));
  if (!file) return file_error("open", path, errno);
  const std::unique_ptr<EVP_MD_CTX, digest_deleter> context(EVP_MD_CTX_new());
  bool ok = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  std::vector<unsigned char> block(64 * 1024);
  while (const std::size_t size = std::fread(block.data(), 1, block.size(), file.get())) {
    ok = ok && EVP_DigestUpdate(context.get(), block.data(), size) == 1;
  }
  if (std::ferror(file.get()) != 0) return file_error("read", path, errno);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  ok = ok && EVP_DigestFinal_ex(context.get(), digest.data(), &size) == 1;
  if (!ok) return troupe::setup_error{"cannot hash " + path + ": this OpenSSL refuses SHA-256"};
  constexpr std::string_view hex = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += hex[digest[i] >> 4];
    text += hex[digest[i] & 15];
  }
  // Said in place: a setup_error could be made of a string, too.
  return {boost::system::in_place_value, std::move(text)};
}

}  // namespace orders
