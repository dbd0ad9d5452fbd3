//! Clients of one endpoint of several: requests about a member go to that member.

use std::sync::{Arc, Mutex};

use super::{Client, Inner, pool};

impl Client {
    /// A client of `endpoint` alone, which shares this one's settings, and its token if it has one.
    pub(crate) fn at(&self, endpoint: &str) -> Self {
        self.at_all([endpoint])
    }

    /// The same for several endpoints; the first one that answers is used.
    pub(crate) fn at_all<'a>(&self, endpoints: impl IntoIterator<Item = &'a str>) -> Self {
        let settings = self.0.settings.with_endpoints(endpoints);
        let pool = pool::Pool::new(&settings);
        let token = self.0.token.lock().expect("nothing panics while it holds the token").clone();
        Self(Arc::new(Inner { settings, pool, token: Mutex::new(token) }))
    }
}
