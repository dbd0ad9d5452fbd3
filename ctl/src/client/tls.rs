//! TLS as the flags say: whom to trust, and who we are.

use std::fs;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Where systems keep the authorities that they trust.
const SYSTEM_FILES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The flags about TLS. An empty text is a flag that isn't given.
#[derive(Clone, Debug, Default)]
pub(super) struct Files<'a> {
    pub(super) cert: &'a str,
    pub(super) key: &'a str,
    pub(super) cacert: &'a str,
    pub(super) is_unverified: bool,
}

/// Makes a configuration of the files.
pub(super) fn configure(files: &Files<'_>) -> Result<Arc<ClientConfig>, String> {
    let roots = if files.cacert.is_empty() { system_roots() } else { roots_of(files.cacert)? };
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = if files.is_unverified {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified))
    } else {
        builder.with_root_certificates(roots)
    };
    let mut config = match (files.cert, files.key) {
        ("", "") => builder.with_no_client_auth(),
        (cert, key) if cert.is_empty() || key.is_empty() => {
            let state = format!("[key: {key}, cert: {cert}]");
            return Err(format!("KeyFile and CertFile must both be present{state}"));
        }
        (cert, key) => {
            let key = PrivateKeyDer::from_pem_slice(&read(key)?)
                .map_err(|error| format!("{key}: {error}"))?;
            builder
                .with_client_auth_cert(certificates(cert)?, key)
                .map_err(|error| format!("{cert}: {error}"))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// Those of the first file that is there. Damaged ones among them are left out.
fn system_roots() -> RootCertStore {
    let chosen = std::env::var("SSL_CERT_FILE").ok();
    let mut files = chosen.iter().map(String::as_str).chain(SYSTEM_FILES);
    let mut roots = RootCertStore::empty();
    if let Some(found) = files.find_map(|file| certificates(file).ok()) {
        roots.add_parsable_certificates(found);
    }
    roots
}

fn roots_of(file: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(roots)
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(&read(file)?)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{file}: {error}"))
}

/// Reads a file. What is the case most often is said as etcd says it.
fn read(file: &str) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| {
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        };
        format!("open {file}: {reason}")
    })
}

/// Takes any certificate. Whoever accepts that gains nothing by a right signature of its key.
#[derive(Debug)]
struct Unverified;

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        use SignatureScheme::*;
        vec![
            ECDSA_NISTP521_SHA512,
            ECDSA_NISTP384_SHA384,
            ECDSA_NISTP256_SHA256,
            ED25519,
            RSA_PSS_SHA512,
            RSA_PSS_SHA384,
            RSA_PSS_SHA256,
            RSA_PKCS1_SHA512,
            RSA_PKCS1_SHA384,
            RSA_PKCS1_SHA256,
        ]
    }
}
