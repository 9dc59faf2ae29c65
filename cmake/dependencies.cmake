# The libraries that the modules stand on. Boost is used for its headers alone.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(liburing REQUIRED IMPORTED_TARGET liburing>=2.3)
pkg_check_modules(libxxhash REQUIRED IMPORTED_TARGET libxxhash>=0.8.1)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS SSL Crypto)
find_package(concurrentqueue MODULE REQUIRED)  # cmake/Findconcurrentqueue.cmake
find_package(CLI11 REQUIRED)
