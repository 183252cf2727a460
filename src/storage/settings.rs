use crate::observe::{Backend, Secret};

use super::{Namespace, StoreError};

/// How the documentation's example calls the data source of the Data API.
const CLUSTER: &str = "Cluster0";

/// Where the documents are: what the variables of the tutorial say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// `DATA_API_ENDPOINT`: the URL that `/action/...` follows.
    pub data_api_endpoint: String,
    /// `API_KEY`: the Data API's key; empty for an endpoint that wants none.
    pub api_key: Secret,
    /// `CLUSTER`: what the Data API calls its data source.
    pub cluster: String,
    /// `DB`: the database, the same both ways.
    pub db: String,
    /// `HTTP_COLLECTION`: the collection written through the Data API.
    pub http_collection: String,
    /// `DB_HOST`: `host:port`, several of them with commas between, or a bare host name that DNS resolves (`mongodb+srv`).
    pub db_host: String,
    /// `DB_USER`: empty where the server wants nobody's name.
    pub db_user: String,
    /// `DB_PASSWORD`.
    pub db_password: Secret,
    /// `DRIVER_COLLECTION`: the collection written through the driver.
    pub driver_collection: String,
}

impl Settings {
    /// Reads them out of variables, asked for by name. `API_KEY` and `DB_USER` may be empty; without a user there is no
    /// need of a `DB_PASSWORD`.
    ///
    /// # Errors
    /// [`StoreError::Settings`] naming every variable that is missing, and what to do.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, StoreError> {
        let mut reading = Reading { variable, missing: Vec::new() };
        let settings = Self {
            cluster: reading.text("CLUSTER", false),
            db: reading.text("DB", false),
            http_collection: reading.text("HTTP_COLLECTION", false),
            driver_collection: reading.text("DRIVER_COLLECTION", false),
            ..Self::default()
        };
        let settings = reading.data_api(settings);
        let settings = reading.driver(settings);
        reading.all(settings)
    }

    /// What is needed to reach one backend, for who knows database and collection already. Without a `CLUSTER` the data
    /// source is called as the documentation calls it.
    ///
    /// # Errors
    /// [`StoreError::Settings`] naming every variable that is missing, and what to do.
    pub fn of(backend: Backend, variable: impl Fn(&str) -> Option<String>) -> Result<Self, StoreError> {
        let cluster = variable("CLUSTER").filter(|name| !name.trim().is_empty());
        let mut reading = Reading { variable, missing: Vec::new() };
        let settings = Self { cluster: cluster.unwrap_or_else(|| CLUSTER.into()).trim().to_owned(), ..Self::default() };
        let settings = match backend {
            Backend::Driver => reading.driver(settings),
            Backend::DataApi => reading.data_api(settings),
        };
        reading.all(settings)
    }

    /// Database and collection of a backend.
    #[must_use]
    pub fn namespace(&self, backend: Backend) -> Namespace {
        let collection = match backend {
            Backend::Driver => &self.driver_collection,
            Backend::DataApi => &self.http_collection,
        };
        Namespace::new(&self.db, collection)
    }

    /// Whether everything this backend speaks to is on this machine, by the loopback interface.
    #[must_use]
    pub fn is_local(&self, backend: Backend) -> bool {
        let local = |host: &str| {
            let host = host.trim_end_matches('.').to_ascii_lowercase();
            let address = host.trim_start_matches('[').trim_end_matches(']');
            host == "localhost"
                || host.ends_with(".localhost")
                || address.parse().is_ok_and(|a: std::net::IpAddr| a.is_loopback())
        };
        match backend {
            Backend::Driver => self.db_host.split(',').all(|host| {
                let name = match host.rsplit_once(':') {
                    Some((name, port)) if !name.ends_with(':') && port.bytes().all(|b| b.is_ascii_digit()) => name,
                    _ => host,
                };
                local(name)
            }),
            Backend::DataApi => reqwest::Url::parse(&self.data_api_endpoint).is_ok_and(|url| url.host_str().is_some_and(local)),
        }
    }

    /// The driver's connection string. `host:port` is spoken to directly, as `mongosh` does; of several hosts the
    /// driver finds out which is which; a bare name is looked up in DNS.
    ///
    /// # Errors
    /// [`StoreError::Settings`] when `DB_HOST` can't be a host.
    pub fn connection_string(&self) -> Result<Secret, StoreError> {
        let host = self.db_host.as_str();
        let wrong = |what: &str| Err(StoreError::Settings(format!("DB_HOST is `{host}`: {what}")));
        if host.contains("://") || host.contains('@') {
            // It may hold a password: it is not repeated.
            return Err(StoreError::Settings(
                "DB_HOST holds a whole connection string: only the host belongs there, user and password into DB_USER and DB_PASSWORD"
                    .into(),
            ));
        }
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || "/?#%\\".contains(c)) {
            return wrong("that is no host name; write host:port, or a bare host name for mongodb+srv");
        }
        let user = match self.db_user.as_str() {
            "" => String::new(),
            user => format!("{}:{}@", percent_encoded(user), percent_encoded(self.db_password.reveal())),
        };
        let address = host.trim_start_matches('[').split(']').next().unwrap_or(host);
        let has_port = host.rsplit_once(':').is_some_and(|(name, port)| {
            !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && (name.ends_with(']') || !name.contains(':'))
        });
        if host.contains(',') {
            Ok(format!("mongodb://{user}{host}/").into())
        } else if has_port {
            Ok(format!("mongodb://{user}{host}/?directConnection=true").into())
        } else if host.contains(':') && address.parse::<std::net::Ipv6Addr>().is_err() {
            wrong("what follows the colon is no port")
        } else if address.parse::<std::net::IpAddr>().is_ok() || !host.contains('.') {
            wrong("without a port it is looked up in DNS as mongodb+srv, where no such name can be; add the port, like :27017")
        } else {
            Ok(format!("mongodb+srv://{user}{host}/").into())
        }
    }
}

/// The variables that say where documents are: through the driver, through the Data API.
const PLACES: [&str; 2] = ["DB_HOST", "DATA_API_ENDPOINT"];

/// Variables that are read, and those that have no value.
struct Reading<F> {
    variable: F,
    missing: Vec<&'static str>,
}

impl<F: Fn(&str) -> Option<String>> Reading<F> {
    fn whole(&mut self, name: &'static str, may_be_empty: bool) -> String {
        match (self.variable)(name) {
            Some(value) if may_be_empty || !value.trim().is_empty() => value,
            _ => {
                self.missing.push(name);
                String::new()
            }
        }
    }

    fn text(&mut self, name: &'static str, may_be_empty: bool) -> String {
        self.whole(name, may_be_empty).trim().to_owned()
    }

    fn data_api(&mut self, settings: Settings) -> Settings {
        let (data_api_endpoint, api_key) = (self.text("DATA_API_ENDPOINT", false), self.text("API_KEY", true).into());
        Settings { data_api_endpoint, api_key, ..settings }
    }

    fn driver(&mut self, settings: Settings) -> Settings {
        let (db_host, db_user) = (self.text("DB_HOST", false), self.text("DB_USER", true));
        let db_password = if db_user.is_empty() { Secret::default() } else { self.whole("DB_PASSWORD", true).into() };
        Settings { db_host, db_user, db_password, ..settings }
    }

    /// The settings, where nothing is missing.
    fn all(self, settings: Settings) -> Result<Settings, StoreError> {
        match self.missing.as_slice() {
            [] => Ok(settings),
            names if PLACES.iter().all(|place| names.contains(place)) => {
                let [driver, http] = PLACES;
                Err(StoreError::Settings(format!(
                    "no variable says where documents are: neither {driver} nor {http} has a value; an extension that stores some has them"
                )))
            }
            [one] => Err(StoreError::Settings(format!("the variable {one} has no value: set it and apply the changes"))),
            several => {
                let names = several.join(", ");
                Err(StoreError::Settings(format!("the variables {names} have no value: set them and apply the changes")))
            }
        }
    }
}

/// User and password in a URL: everything but letters, digits and `-._~` as `%XX`.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn complete(name: &str) -> Option<String> {
        Some(format!("the {name}"))
    }

    #[test]
    fn every_variable_finds_its_place() {
        let settings = Settings::from_variables(complete).unwrap();
        assert_eq!(settings.data_api_endpoint, "the DATA_API_ENDPOINT");
        assert_eq!(settings.api_key.reveal(), "the API_KEY");
        assert_eq!(settings.db_password.reveal(), "the DB_PASSWORD");
        assert_eq!(settings.namespace(Backend::Driver), Namespace::new("the DB", "the DRIVER_COLLECTION"));
        assert_eq!(settings.namespace(Backend::DataApi), Namespace::new("the DB", "the HTTP_COLLECTION"));
    }

    #[rstest]
    #[case(&["DB"], "the variable DB has no value: set it and apply the changes")]
    #[case(&["CLUSTER", "DB_HOST"], "the variables CLUSTER, DB_HOST have no value: set them and apply the changes")]
    #[case(&["DB_HOST", "DB", "DATA_API_ENDPOINT"], "no variable says where documents are: neither DB_HOST nor DATA_API_ENDPOINT has a value; an extension that stores some has them")]
    #[case(&["DB_PASSWORD"], "the variable DB_PASSWORD has no value: set it and apply the changes")]
    fn what_is_missing_is_named(#[case] missing: &[&str], #[case] says: &str) {
        let error = Settings::from_variables(|name| complete(name).filter(|_| !missing.contains(&name))).unwrap_err();
        assert_eq!(error.to_string(), says);
    }

    #[test]
    fn to_reach_one_backend_no_variable_of_the_other_is_needed() {
        let only = |names: &'static [&'static str]| move |name: &str| complete(name).filter(|_| names.contains(&name));
        let driver = Settings::of(Backend::Driver, only(&["DB_HOST", "DB_USER", "DB_PASSWORD"])).unwrap();
        assert_eq!((driver.db_host.as_str(), driver.db_password.reveal()), ("the DB_HOST", "the DB_PASSWORD"));
        let http = Settings::of(Backend::DataApi, only(&["DATA_API_ENDPOINT", "API_KEY"])).unwrap();
        assert_eq!((http.data_api_endpoint.as_str(), http.cluster.as_str()), ("the DATA_API_ENDPOINT", "Cluster0"));
        let error = Settings::of(Backend::Driver, only(&["DB_USER", "DB_PASSWORD"])).unwrap_err();
        assert_eq!(error.to_string(), "the variable DB_HOST has no value: set it and apply the changes");
    }

    #[test]
    fn a_blank_value_is_a_missing_one() {
        let error = Settings::from_variables(|name| if name == "DB" { Some(" ".into()) } else { complete(name) }).unwrap_err();
        assert_eq!(error.to_string(), "the variable DB has no value: set it and apply the changes");
    }

    #[test]
    fn without_a_user_no_password_is_asked_for() {
        let settings = Settings::from_variables(|name| match name {
            "DB_USER" => Some(String::new()),
            "DB_PASSWORD" => None,
            _ => complete(name),
        });
        assert!(settings.is_ok());
    }

    #[rstest]
    #[case("127.0.0.1:27017", "", "mongodb://127.0.0.1:27017/?directConnection=true")]
    #[case("localhost:27017", "root", "mongodb://root:p%40ss%2F%3A@localhost:27017/?directConnection=true")]
    #[case("[::1]:27017", "", "mongodb://[::1]:27017/?directConnection=true")]
    #[case("a.example:27017,b.example:27018", "", "mongodb://a.example:27017,b.example:27018/")]
    #[case("cluster0.abcde.mongodb.net", "us er", "mongodb+srv://us%20er:p%40ss%2F%3A@cluster0.abcde.mongodb.net/")]
    fn a_port_means_a_plain_connection_and_a_bare_host_one_by_dns(
        #[case] host: &str,
        #[case] user: &str,
        #[case] expected: &str,
    ) {
        let settings =
            Settings { db_host: host.into(), db_user: user.into(), db_password: "p@ss/:".into(), ..Settings::default() };
        assert_eq!(settings.connection_string().unwrap().reveal(), expected);
    }

    #[rstest]
    #[case("127.0.0.1", "add the port")]
    #[case("::1", "add the port")]
    #[case("localhost", "add the port")]
    #[case("a.example:port", "no port")]
    #[case("a b", "no host name")]
    #[case("", "no host name")]
    #[case("mongodb://u:secret@h", "whole connection string")]
    fn what_cannot_be_a_host_is_explained_and_secrets_are_not_repeated(#[case] host: &str, #[case] says: &str) {
        let error = Settings { db_host: host.into(), ..Settings::default() }.connection_string().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[rstest]
    #[case("127.0.0.1:27017", true)]
    #[case("localhost:1", true)]
    #[case("[::1]:1", true)]
    #[case("::1", true)]
    #[case("127.0.0.1:1,127.0.0.2:2", true)]
    #[case("127.0.0.1:1,db.example:2", false)]
    #[case("cluster0.abcde.mongodb.net", false)]
    #[case("localhost.example", false)]
    #[case("", false)]
    fn only_the_loopback_interface_is_local(#[case] host: &str, #[case] expected: bool) {
        let settings = Settings { db_host: host.into(), ..Settings::default() };
        assert_eq!(settings.is_local(Backend::Driver), expected);
        let settings = Settings { data_api_endpoint: format!("https://{host}/app/x"), ..Settings::default() };
        // Several hosts, or an address without brackets, make no URL.
        assert_eq!(settings.is_local(Backend::DataApi), expected && !host.contains(',') && host != "::1");
    }

    #[test]
    fn settings_never_show_their_secrets() {
        let settings = Settings::from_variables(complete).unwrap();
        let shown = format!("{settings:?}");
        assert!(!shown.contains("the API_KEY") && !shown.contains("the DB_PASSWORD"), "{shown}");
    }
}
