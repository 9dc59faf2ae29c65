// The codecs of arithmetic types, enums and the standard types that messages are made of.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <troupe/codec.hpp>
#include <variant>
#include <vector>

namespace troupe::detail {

template <class T>
concept wire_integer =
    std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, wchar_t> && sizeof(T) <= 8;

/// Without a fixed underlying type, size and valid values of an enum are the compiler's choice.
template <class T>
concept wire_enum = std::is_enum_v<T> && requires { T{0}; };

template <class T>
constexpr void number_schema(schema_writer& out, std::string_view kind) {
  out.text(kind);
  out.number(sizeof(T) * 8);
}

inline void write_count(writer& w, std::size_t count) {
  const auto wire = static_cast<std::uint32_t>(count);
  if (wire != count) return w.fail();
  w.write(&wire, sizeof wire);
}

template <class T>
concept byte_like = std::same_as<T, std::byte> || std::same_as<T, char> || std::same_as<T, unsigned char>;

/// Elements without padding, in a container that can grow. Those that need no alignment are copied as they lie. Growing sets others
/// to zero first: so it grows by what stays in a cache.
template <class Container>
void read_flat(reader& r, Container& into, std::size_t count) {
  using value = typename Container::value_type;
  if constexpr (byte_like<value>) {
    const auto bytes = r.next(count);
    const auto* const first = reinterpret_cast<const value*>(bytes.data());
    into.assign(first, first + bytes.size());
    return;
  }
  constexpr std::size_t element = sizeof(value);
  constexpr std::size_t most = std::max<std::size_t>(16 * 1024 / element, 1);
  into.clear();
  into.reserve(count);
  for (std::size_t done = 0; done < count;) {
    const std::size_t now = std::min(count - done, most);
    into.resize(done + now);
    r.read(into.data() + done, now * element);
    done += now;
  }
}

/// A count whose elements the remaining bytes can hold; 0 after a failure.
inline std::size_t read_count(reader& r, std::size_t element_size) {
  std::uint32_t count = 0;
  r.read(&count, sizeof count);
  if (count <= r.remaining() / element_size) return count;
  r.fail();
  return 0;
}

}  // namespace troupe::detail

namespace troupe {

template <>
struct codec<bool> {
  static constexpr std::size_t min_size = 1;
  static void encode(writer& w, bool value) { w.write(&value, 1); }
  static void decode(reader& r, bool& value) {
    std::uint8_t byte = 0;
    r.read(&byte, 1);
    if (byte > 1) return r.fail();
    value = byte != 0;
  }
  static constexpr void schema(schema_writer& out) { out.text("bool"); }
};

template <detail::wire_integer T>
struct codec<T> {
  static constexpr std::size_t min_size = sizeof(T);
  static constexpr bool flat = true;
  static void encode(writer& w, T value) { w.write(&value, sizeof value); }
  static void decode(reader& r, T& value) { r.read(&value, sizeof value); }
  static constexpr void schema(schema_writer& out) {
    if constexpr (std::same_as<T, char>) return out.text("char");
    detail::number_schema<T>(out, std::is_signed_v<T> ? "i" : "u");
  }
};

template <std::floating_point T>
  requires(sizeof(T) <= 8)
struct codec<T> {
  static_assert(std::numeric_limits<T>::is_iec559);
  static constexpr std::size_t min_size = sizeof(T);
  static constexpr bool flat = true;
  static void encode(writer& w, T value) { w.write(&value, sizeof value); }
  static void decode(reader& r, T& value) { r.read(&value, sizeof value); }
  static constexpr void schema(schema_writer& out) { detail::number_schema<T>(out, "f"); }
};

template <detail::wire_enum T>
struct codec<T> {
  using number = std::underlying_type_t<T>;
  using parts = codec_parts<number>;
  static constexpr std::size_t min_size = sizeof(T);
  static constexpr bool flat = detail::is_flat<number>();
  static void encode(writer& w, T value) { codec<number>::encode(w, static_cast<number>(value)); }
  static void decode(reader& r, T& value) {
    number underlying{};
    codec<number>::decode(r, underlying);
    if (r.ok()) value = static_cast<T>(underlying);
  }
  static constexpr void schema(schema_writer& out) {
    out.text(type_name<T>());
    out.text("(");
    out.type<number>();
    out.text(")");
  }
};

template <class Rep, class Period>
struct codec<std::chrono::duration<Rep, Period>> {
  using duration = std::chrono::duration<Rep, Period>;
  using parts = codec_parts<Rep>;
  static constexpr std::size_t min_size = detail::min_size<Rep>();
  static constexpr bool flat = detail::is_flat<Rep>() && sizeof(duration) == sizeof(Rep);
  static void encode(writer& w, duration value) { codec<Rep>::encode(w, value.count()); }
  static void decode(reader& r, duration& value) {
    Rep count{};
    codec<Rep>::decode(r, count);
    if (r.ok()) value = duration(count);
  }
  static constexpr void schema(schema_writer& out) {
    out.text("duration(");
    out.type<Rep>();
    out.text(",");
    out.number(std::uint64_t{Period::num});
    out.text("/");
    out.number(std::uint64_t{Period::den});
    out.text(")");
  }
};

template <>
struct codec<std::string> {
  static constexpr std::size_t min_size = 4;
  static void encode(writer& w, const std::string& value) {
    detail::write_count(w, value.size());
    w.write(value.data(), value.size());
  }
  static void decode(reader& r, std::string& value) { detail::read_flat(r, value, detail::read_count(r, 1)); }
  static constexpr void schema(schema_writer& out) { out.text("str"); }
};

template <class T>
struct codec<std::vector<T>> {
  using parts = codec_parts<T>;
  static constexpr std::size_t min_size = 4;
  static constexpr std::size_t element_size = detail::min_size<T>();

  static void encode(writer& w, const std::vector<T>& value) {
    detail::write_count(w, value.size());
    if constexpr (detail::is_flat<T>()) {
      w.write(value.data(), value.size() * sizeof(T));
    } else {
      for (const T& element : value) codec<T>::encode(w, element);
    }
  }

  static void decode(reader& r, std::vector<T>& value) {
    const std::size_t count = detail::read_count(r, element_size);
    if constexpr (detail::is_flat<T>()) {
      detail::read_flat(r, value, count);
    } else {
      value.clear();
      value.reserve(std::min(count, 1 + max_growth * r.remaining() / sizeof(T)));
      for (std::size_t i = 0; i < count && r.ok(); ++i) {
        T element{};
        codec<T>::decode(r, element);
        value.push_back(std::move(element));
      }
    }
  }

  static constexpr void schema(schema_writer& out) {
    out.text("[");
    out.type<T>();
    out.text("]");
  }

 private:
  /// A count alone reserves no more than this times the input (an empty std::string is 4 bytes for 32):
  /// beyond it, memory follows the elements that have really been decoded.
  static constexpr std::size_t max_growth = 8;
};

template <class T, std::size_t N>
struct codec<std::array<T, N>> {
  using parts = codec_parts<T>;
  static constexpr std::size_t min_size = N * detail::min_size<T>();
  static constexpr bool flat = N != 0 && detail::is_flat<T>() && sizeof(std::array<T, N>) == N * sizeof(T);

  static void encode(writer& w, const std::array<T, N>& value) {
    if constexpr (flat) {
      w.write(value.data(), sizeof value);
    } else {
      for (const T& element : value) codec<T>::encode(w, element);
    }
  }

  static void decode(reader& r, std::array<T, N>& value) {
    if constexpr (flat) {
      r.read(value.data(), sizeof value);
    } else {
      for (std::size_t i = 0; i < N && r.ok(); ++i) codec<T>::decode(r, value[i]);
    }
  }

  static constexpr void schema(schema_writer& out) {
    out.text("[");
    out.type<T>();
    out.text(";");
    out.number(N);
    out.text("]");
  }
};

template <class T>
struct codec<std::optional<T>> {
  using parts = codec_parts<T>;
  static constexpr std::size_t min_size = 1;

  static void encode(writer& w, const std::optional<T>& value) {
    codec<bool>::encode(w, value.has_value());
    if (value) codec<T>::encode(w, *value);
  }

  static void decode(reader& r, std::optional<T>& value) {
    bool present = false;
    codec<bool>::decode(r, present);
    if (!present) return value.reset();
    T inner{};
    codec<T>::decode(r, inner);
    value = std::move(inner);
  }

  static constexpr void schema(schema_writer& out) {
    out.text("?");
    out.type<T>();
  }
};

template <class... T>
struct codec<std::variant<T...>> {
  using parts = codec_parts<T...>;
  using variant = std::variant<T...>;
  using index = std::conditional_t<sizeof...(T) <= 256, std::uint8_t, std::uint16_t>;
  static constexpr std::size_t min_size = sizeof(index);

  static void encode(writer& w, const variant& value) {
    if (value.valueless_by_exception()) return w.fail();
    codec<index>::encode(w, static_cast<index>(value.index()));
    std::visit([&w]<class Alternative>(const Alternative& held) { codec<Alternative>::encode(w, held); },
               value);
  }

  static void decode(reader& r, variant& value) {
    index which{};
    codec<index>::decode(r, which);
    if (which >= sizeof...(T)) return r.fail();
    if (r.ok()) decode_as(r, value, which, std::index_sequence_for<T...>{});
  }

  static constexpr void schema(schema_writer& out) {
    out.text("<");
    std::size_t count = 0;
    ((out.text(count++ == 0 ? "" : "|"), out.type<T>()), ...);
    out.text(">");
  }

 private:
  template <std::size_t... I>
  static void decode_as(reader& r, variant& value, std::size_t which, std::index_sequence<I...>) {
    static_cast<void>(((which == I && (codec<T>::decode(r, value.template emplace<I>()), true)) || ...));
  }
};

template <class First, class Second>
struct codec<std::pair<First, Second>> {
  using parts = codec_parts<First, Second>;
  static constexpr std::size_t min_size = detail::min_size<First>() + detail::min_size<Second>();

  static void encode(writer& w, const std::pair<First, Second>& value) {
    codec<First>::encode(w, value.first);
    codec<Second>::encode(w, value.second);
  }

  static void decode(reader& r, std::pair<First, Second>& value) {
    codec<First>::decode(r, value.first);
    if (r.ok()) codec<Second>::decode(r, value.second);
  }

  static constexpr void schema(schema_writer& out) {
    out.text("(");
    out.type<First>();
    out.text(",");
    out.type<Second>();
    out.text(")");
  }
};

}  // namespace troupe
