#include "certificate.hpp"

#include <openssl/evp.h>
#include <openssl/objects.h>

#include <troupe/assert.hpp>

#include "openssl_handles.hpp"

namespace troupe::detail {

std::vector<std::byte> make_certificate(const node_key& key, std::string_view name) {
  const x509_ptr made(X509_new());
  X509* const x = made.get();
  bool ok = x != nullptr && X509_set_version(x, X509_VERSION_3) == 1 &&
            ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
            ASN1_TIME_set_string(X509_getm_notBefore(x), "19700101000000Z") == 1 &&
            ASN1_TIME_set_string(X509_getm_notAfter(x), "99991231235959Z") == 1;
  if (ok) {
    X509_NAME* const subject = X509_get_subject_name(x);
    const auto* const text = reinterpret_cast<const unsigned char*>(name.data());
    ok = X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC, text,
                                    static_cast<int>(name.size()), -1, 0) == 1 &&
         X509_set_issuer_name(x, subject) == 1 && X509_set_pubkey(x, key.native()) == 1 &&
         X509_sign(x, key.native(), nullptr) != 0;
  }
  const int size = ok ? i2d_X509(x, nullptr) : 0;
  TROUPE_ASSERT(size > 0, "a node name and an Ed25519 key make a certificate");
  std::vector<std::byte> der(static_cast<std::size_t>(size));
  auto* into = reinterpret_cast<unsigned char*>(der.data());
  i2d_X509(x, &into);
  return der;
}

result<public_key, std::string> key_in_certificate(byte_view der) {
  if (der.size() > max_certificate) return std::string("its certificate is too large");
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const auto* const end = at + der.size();
  const x509_ptr read(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  EVP_PKEY* const key = read ? X509_get0_pubkey(read.get()) : nullptr;
  const bool whole = key != nullptr && at == end;
  const bool right_kind = whole && EVP_PKEY_is_a(key, "ED25519") == 1;
  // The key must have signed it: what is signed by an authority is meant for another use.
  const bool own =
      right_kind && X509_get_signature_nid(read.get()) == NID_ED25519 && X509_verify(read.get(), key) == 1;
  public_key found;
  std::size_t size = found.bytes.size();
  const bool got = own && EVP_PKEY_get_raw_public_key(
                              key, reinterpret_cast<unsigned char*>(found.bytes.data()), &size) == 1;
  ERR_clear_error();
  if (!whole) return std::string("its certificate cannot be read");
  if (!right_kind) return std::string("its certificate has another kind of key than Ed25519");
  if (!got) return std::string("its certificate is not signed by its own key");
  return found;
}

}  // namespace troupe::detail
