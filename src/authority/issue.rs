//! Making certificates: the authority's own, and those of its servers.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::AuthorityError;
use crate::observe::Timestamp;

pub(super) const DAY: Duration = Duration::from_secs(86_400);
/// How long the authority lasts.
pub(super) const CA_LIFE: Duration = Duration::from_secs(3650 * 86_400);
/// How long a server's certificate lasts.
const LIFE: Duration = Duration::from_secs(90 * 86_400);
/// How long before its end it is replaced.
const SPARE: Duration = Duration::from_secs(30 * 86_400);

/// The authority's certificate, as PEM.
pub(super) fn ca_certificate(key: &KeyPair, now: Timestamp) -> Result<String, AuthorityError> {
    let mut params = ca_params();
    valid(&mut params, now, CA_LIFE);
    Ok(params.self_signed(key)?.pem())
}

/// What is the same in every authority certificate; with it a kept key becomes an issuer again.
fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("connect-console local authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::OrganizationName, "connect-console");
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// Valid from the day before `now`, as clocks of containers may be late, for `life`.
fn valid(params: &mut CertificateParams, now: Timestamp, life: Duration) {
    let now = date_time_ymd(1970, 1, 1) + Duration::from_micros(u64::try_from(now.0).unwrap_or(0));
    params.not_before = now - DAY;
    params.not_after = now + life;
}

/// Signs certificates in the authority's name.
pub(super) struct Issuer(rcgen::Issuer<'static, KeyPair>);

impl Issuer {
    pub(super) fn new(key: KeyPair) -> Self {
        Self(rcgen::Issuer::new(ca_params(), key))
    }

    /// A new key and its certificate for `names`, valid from the day before `now`.
    fn issue(&self, names: &[String], now: Timestamp) -> Result<Arc<CertifiedKey>, AuthorityError> {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = named("connect-console");
        valid(&mut params, now, LIFE);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.0)?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = any_supported_type(&private).map_err(|e| AuthorityError::Issue(e.to_string()))?;
        Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], signing)))
    }
}

/// A server's certificate, renewed in time by whoever connects then.
pub(super) struct Renewing {
    issuer: Arc<Issuer>,
    names: Vec<String>,
    current: Mutex<(Arc<CertifiedKey>, Timestamp)>,
}

impl Renewing {
    pub(super) fn new(issuer: Arc<Issuer>, names: Vec<String>) -> Result<Self, AuthorityError> {
        let now = Timestamp::now();
        let first = issuer.issue(&names, now)?;
        Ok(Self { issuer, names, current: Mutex::new((first, now)) })
    }

    fn at(&self, now: Timestamp) -> Arc<CertifiedKey> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let age = Duration::from_micros(u64::try_from(now.0.saturating_sub(current.1.0)).unwrap_or(0));
        if age >= LIFE - SPARE {
            // A month is left to try again; the names were good the first time.
            if let Ok(fresh) = self.issuer.issue(&self.names, now) {
                *current = (fresh, now);
            }
        }
        Arc::clone(&current.0)
    }
}

impl fmt::Debug for Renewing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewing").field("names", &self.names).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Renewing {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.at(Timestamp::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_replaced_when_thirty_days_are_left_and_not_before() {
        let issuer = Arc::new(Issuer::new(KeyPair::generate().unwrap()));
        let served = Renewing::new(issuer, vec!["localhost".into()]).unwrap();
        let now = Timestamp::now();
        let in_days = |days: u64| Timestamp(now.0 + i64::try_from(DAY.as_micros()).unwrap() * i64::try_from(days).unwrap());
        let der = |at| served.at(at).cert.clone();
        let first = der(now);
        assert_eq!(der(in_days(59)), first);
        let second = der(in_days(61));
        assert_ne!(second, first);
        assert_eq!(der(in_days(61 + 59)), second);
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let issuer = Arc::new(Issuer::new(KeyPair::generate().unwrap()));
        assert!(Renewing::new(issuer, vec!["späce".into()]).is_err());
    }
}
