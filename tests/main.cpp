// The main function of the test programs, for both versions of Catch2. A test without an assertion fails, and so
// does a name that matches no test: neither could find anything out.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_session.hpp>
constexpr auto no_match = Catch::WarnAbout::UnmatchedTestSpec;
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
constexpr auto no_match = Catch::WarnAbout::NoTests;
#endif

int main(int argc, char** argv) {
  Catch::Session session;
  session.configData().warnings =
      static_cast<Catch::WarnAbout::What>(Catch::WarnAbout::NoAssertions | no_match);
  return session.run(argc, argv);
}
