// Builds the text of a schema while the compiler runs. Codecs contribute through
// `static constexpr void schema(schema_writer&)`; schema.hpp turns the result into a string_view.
//
// The vocabulary: bool, char, i8...u64, f32, f64, str, [T] (vector), [T;N] (array), ?T (optional), <A|B>
// (variant), (A,B) (pair), name(T) (enum, duration, map), name{field:T,...} (record). Inside itself a record
// is written by its name alone, which ends recursion. Single-threaded, and never called at run time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <troupe/detail/type_name.hpp>

namespace troupe {

template <class T>
struct codec;

/// Longest schema text; a message whose text is longer does not compile.
inline constexpr std::size_t schema_text_limit = 16 * 1024;

class schema_writer {
 public:
  constexpr schema_writer() = default;
  /// Writes to `out`, which has room for what a first pass without it has counted.
  constexpr explicit schema_writer(char* out) : out_(out) {}

  constexpr std::size_t size() const { return size_; }

  constexpr void text(std::string_view part) {
    if (size_ + part.size() > schema_text_limit)
      throw "the schema of this message is too long: split the message";
    for (std::size_t i = 0; out_ != nullptr && i < part.size(); ++i) out_[size_ + i] = part[i];
    size_ += part.size();
  }

  constexpr void number(std::uint64_t value) {
    if (value >= 10) number(value / 10);
    text(std::string_view("0123456789").substr(value % 10, 1));
  }

  template <class T>
  constexpr void type() {
    codec<T>::schema(*this);
  }

  /// Opens the record T: false when it is open already and its name is all there is to write.
  template <class T>
  constexpr bool begin_record() {
    text(type_name<T>());
    for (std::size_t i = 0; i < depth_; ++i)
      if (open_[i] == detail::spelling::type_text<T>()) return false;
    if (depth_ == max_depth) throw "the types of this message are nested too deep: flatten them";
    open_[depth_++] = detail::spelling::type_text<T>();
    first_field_ = true;
    text("{");
    return true;
  }

  template <class T>
  constexpr void field(std::string_view name) {
    if (!first_field_) text(",");
    text(name);
    text(":");
    type<T>();
    first_field_ = false;
  }

  constexpr void end_record() {
    text("}");
    --depth_;
  }

 private:
  static constexpr std::size_t max_depth = 64;

  char* out_ = nullptr;
  std::size_t size_ = 0;
  std::string_view open_[max_depth] =
      {};  // by text: GCC cannot compare addresses at compile time under UBSan
  std::size_t depth_ = 0;
  bool first_field_ = true;
};

}  // namespace troupe
