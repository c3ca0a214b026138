//! How an existing broker is reached.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::v5::MqttOptions;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Filter};
use rumqttc::{NetworkOptions, TlsConfiguration, Transport};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use url::Url;

/// How an existing broker is used.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BrokerConfig {
    /// Its own for each ingest process, and the same after a restart: the broker keeps our session under this name. Two
    /// processes of one name throw each other out.
    pub client_id: String,
    /// The group of `$share/GROUP/luong/v1/+/+`; processes of one group share the messages.
    pub group: String,
    /// User name; before the one in the URL.
    pub username: String,
    /// Password; before the one in the URL.
    pub password: String,
    /// PEM file of the certificate authorities that a `mqtts://` broker is checked against; absent = the system's.
    pub ca_file: Option<PathBuf>,
    /// How long the broker keeps our session while we are away. Seconds.
    pub session_expiry_s: u32,
    /// Unacknowledged QoS 1 messages that the broker may send. Throughput is at most this over the log's time to
    /// acknowledge; the broker's own limit (Mosquitto: `max_inflight_messages`) must not be lower.
    pub receive_maximum: u16,
    /// Larger packets are not sent to us (the broker drops them). Bytes.
    pub max_packet_bytes: u32,
    /// How often the broker is asked whether it lives; twice this without an answer is a lost connection. Seconds, at
    /// least 5.
    pub keep_alive_s: u16,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            client_id: "luong-ingest".into(),
            group: "luong".into(),
            username: String::new(),
            password: String::new(),
            ca_file: None,
            session_expiry_s: 86_400,
            receive_maximum: 10_000,
            max_packet_bytes: 256 * 1024,
            keep_alive_s: 15,
        }
    }
}

/// A broker that can't even be tried.
#[derive(Debug, thiserror::Error)]
pub enum BrokerConfigError {
    /// Not an `mqtt://` or `mqtts://` URL with a host.
    #[error("mqtt.broker {url:?}: {detail}; it should look like mqtt://user:password@host:1883")]
    Url {
        /// Without its password.
        url: String,
        /// What is wrong.
        detail: String,
    },
    /// A value that MQTT can't carry.
    #[error("mqtt broker settings: {0}")]
    Value(&'static str),
    /// No certificates to check the broker against.
    #[error("certificates for {url:?} from {source_name}: {detail}")]
    Certificates {
        /// Without its password.
        url: String,
        /// File or system.
        source_name: String,
        /// What is wrong.
        detail: String,
    },
}

/// Keeps `rumqttc`'s bookkeeping for publishes of our own small: there are none.
const NO_PUBLISHES: u16 = 10;

impl BrokerConfig {
    pub(super) fn options(&self, url: &str) -> Result<MqttOptions, BrokerConfigError> {
        if self.client_id.is_empty() || self.group.is_empty() || self.group.contains(['/', '+', '#']) {
            return Err(BrokerConfigError::Value("client_id and group need a name; group without / + #"));
        }
        if self.receive_maximum == 0 || self.keep_alive_s < 5 {
            return Err(BrokerConfigError::Value("receive_maximum is at least 1, keep_alive_s at least 5"));
        }
        let bad = |detail: &str| BrokerConfigError::Url { url: redacted(url), detail: detail.into() };
        let parsed = Url::parse(url).map_err(|error| bad(&error.to_string()))?;
        let host = parsed.host_str().filter(|host| !host.is_empty()).ok_or_else(|| bad("no host"))?;
        let (transport, port) = match parsed.scheme() {
            "mqtt" => (Transport::Tcp, 1883),
            "mqtts" => (Transport::Tls(TlsConfiguration::Rustls(self.tls(url)?)), 8883),
            _ => return Err(bad("the scheme is neither mqtt nor mqtts")),
        };
        let mut options = MqttOptions::new(&self.client_id, host, parsed.port().unwrap_or(port));
        options.set_transport(transport);
        let username = first_of(&self.username, parsed.username());
        if !username.is_empty() {
            options
                .set_credentials(username, first_of(&self.password, parsed.password().unwrap_or_default()));
        }
        let mut properties = ConnectProperties::new();
        properties.session_expiry_interval = Some(self.session_expiry_s);
        properties.receive_maximum = Some(self.receive_maximum);
        properties.max_packet_size = Some(self.max_packet_bytes);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        options
            .set_connect_properties(properties)
            .set_clean_start(false)
            .set_manual_acks(true)
            .set_keep_alive(Duration::from_secs(u64::from(self.keep_alive_s)))
            .set_network_options(network)
            .set_outgoing_inflight_upper_limit(NO_PUBLISHES);
        Ok(options)
    }

    fn tls(&self, url: &str) -> Result<Arc<rustls::ClientConfig>, BrokerConfigError> {
        let bad = |detail: String| BrokerConfigError::Certificates {
            url: redacted(url),
            source_name: self.ca_file.as_ref().map_or("the system".into(), |file| file.display().to_string()),
            detail,
        };
        let certificates: Vec<CertificateDer<'static>> = match &self.ca_file {
            Some(file) => CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect)
                .map_err(|error| bad(error.to_string()))?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        let mut roots = rustls::RootCertStore::empty();
        let (usable, _) = roots.add_parsable_certificates(certificates);
        if usable == 0 {
            return Err(bad("no usable certificate; name one with ca_file".into()));
        }
        // The provider is named, not taken from the process: then nothing has to be installed first.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| bad(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    pub(super) fn filters(&self) -> Vec<Filter> {
        ["v1", "v1pb"]
            .map(|version| {
                Filter::new(format!("$share/{}/luong/{version}/+/+", self.group), QoS::AtLeastOnce)
            })
            .into()
    }
}

fn first_of(configured: &str, in_url: &str) -> String {
    if configured.is_empty() {
        percent_encoding::percent_decode_str(in_url).decode_utf8_lossy().into_owned()
    } else {
        configured.to_owned()
    }
}

/// Returns the URL without what must not be in a log.
pub(super) fn redacted(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else { return "(not a URL)".into() };
    if parsed.password().is_some() && parsed.set_password(Some("***")).is_err() {
        return "(hidden)".into();
    }
    parsed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_host_port_and_user() {
        let options = BrokerConfig::default().options("mqtt://g%40te:p%3Aw@broker.example:2883").unwrap();
        assert_eq!(options.broker_address(), ("broker.example".into(), 2883));
        let login = options.credentials().unwrap();
        assert_eq!((login.username.as_str(), login.password.as_str()), ("g@te", "p:w"));
        let plain = BrokerConfig::default().options("mqtt://broker.example").unwrap();
        assert_eq!(plain.broker_address().1, 1883);
        assert!(!plain.clean_start() && plain.manual_acks());
    }

    #[test]
    fn a_url_that_is_none_says_how_one_looks_and_hides_the_password() {
        for url in ["http://x", "mqtt://", "broker:1883", ""] {
            let error = BrokerConfig::default().options(url).unwrap_err().to_string();
            assert!(error.contains("mqtt://user:password@host:1883"), "{error}");
        }
        let error = BrokerConfig::default().options("http://a:secret@x").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn values_that_mqtt_can_t_carry_are_refused() {
        for config in [
            BrokerConfig { client_id: String::new(), ..BrokerConfig::default() },
            BrokerConfig { group: "a/b".into(), ..BrokerConfig::default() },
            BrokerConfig { receive_maximum: 0, ..BrokerConfig::default() },
            BrokerConfig { keep_alive_s: 1, ..BrokerConfig::default() },
        ] {
            assert!(matches!(config.options("mqtt://x"), Err(BrokerConfigError::Value(_))));
        }
    }

    #[test]
    fn a_certificate_file_that_is_none_is_named() {
        let config = BrokerConfig { ca_file: Some("/nowhere/ca.pem".into()), ..BrokerConfig::default() };
        let error = config.options("mqtts://x").unwrap_err().to_string();
        assert!(error.contains("/nowhere/ca.pem"), "{error}");
    }
}
