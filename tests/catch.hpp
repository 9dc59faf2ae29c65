// Catch2 under one name (version 3 keeps its headers in parts, 2.13 has a single one), and how it shows a result:
// Boost's own operator<< does not compile for values that cannot be printed.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <boost/system/result.hpp>
#include <string>

template <class T, class E>
struct Catch::StringMaker<boost::system::result<T, E>> {
  static std::string convert(const boost::system::result<T, E>& r) {
    if (r.has_value()) return "a value";
    const E why = r.error();
    if constexpr (requires { std::string(why.text()); }) {
      return "error: " + why.text();  // troupe::error
    } else if constexpr (requires { std::string(why.text); }) {
      return "error: " + why.text;  // troupe::setup_error
    } else {
      return "error: " + Catch::StringMaker<E>::convert(why);
    }
  }
};

/// About how many times slower than in a release build things are: large counts are divided by it.
inline constexpr unsigned slowdown = TROUPE_TEST_SLOWDOWN;
