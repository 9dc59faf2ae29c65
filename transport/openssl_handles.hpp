// What OpenSSL hands out, owned, and what it says when it refuses. For the sources that use OpenSSL; headers only name its
// types, so that including them is cheap.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace troupe::detail {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* handle) const noexcept {
    Free(handle);
  }
};

using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free>>;
using bio_method_ptr = std::unique_ptr<BIO_METHOD, freed_by<BIO_meth_free>>;
using x509_ptr = std::unique_ptr<X509, freed_by<X509_free>>;

/// The first error of this thread's queue, which is the cause of the others; the queue is empty afterwards.
inline std::string openssl_reason() {
  const char* const text = ERR_reason_error_string(ERR_peek_error());
  ERR_clear_error();
  return text != nullptr ? text : "for no reason that it tells";
}

}  // namespace troupe::detail
