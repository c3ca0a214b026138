//! What is expected of every link: the newest forecast of each, immutable, replaced by one writer.

use std::sync::Arc;

use eventlog::Fetched;
use model::{Forecast, Timestamp};
use roadnet::Network;

use crate::picture::{Layout, Offered, REPETITION_MS, Slot, TILE};

/// The newest forecasts, in the picture's tiles.
#[derive(Clone, Debug)]
pub(crate) struct Outlook {
    tiles: Vec<Arc<[Option<Arc<Forecast>>; TILE]>>,
    known: usize,
}

/// Puts the records of the forecasts' topic into an outlook.
pub(crate) struct OutlookWriter {
    network: Arc<Network>,
    layout: Arc<Layout>,
    outlook: Outlook,
}

impl Outlook {
    /// Returns the forecast of a link that was said at most `kept_ms` before `as_of`.
    pub(crate) fn fresh(&self, slot: Slot, as_of: Timestamp, kept_ms: i64) -> Option<&Forecast> {
        let forecast = self.tiles[slot.tile()][slot.bit()].as_deref()?;
        (as_of - forecast.made_at <= kept_ms).then_some(forecast)
    }

    /// Returns the number of links of which there is a forecast.
    pub(crate) fn known(&self) -> usize {
        self.known
    }
}

impl OutlookWriter {
    pub(crate) fn new(network: Arc<Network>, layout: Arc<Layout>) -> Self {
        let empty = Arc::new([const { None }; TILE]);
        let outlook = Outlook { tiles: vec![empty; layout.tiles()], known: 0 };
        Self { network, layout, outlook }
    }

    /// Takes one record.
    pub(crate) fn offer(&mut self, fetched: &Fetched) -> Offered {
        let (key, value) = (&fetched.record.key, &fetched.record.value);
        if value.is_empty() {
            return self.put(str::from_utf8(key).unwrap_or_default(), None);
        }
        match wire::decode_forecast(value) {
            Ok(forecast) => self.put(&forecast.link.to_string(), Some(forecast)),
            Err(_) => Offered::Broken,
        }
    }

    /// Returns the outlook with all that was offered.
    pub(crate) fn commit(&self) -> Arc<Outlook> {
        Arc::new(self.outlook.clone())
    }

    fn put(&mut self, link: &str, forecast: Option<Forecast>) -> Offered {
        let Some(link) = self.network.find(link) else { return Offered::UnknownLink };
        let slot = self.layout.slot(link);
        let known = &self.outlook.tiles[slot.tile()][slot.bit()];
        if let (Some(known), Some(new)) = (known, &forecast) {
            // What an analyser that came back repeats does not turn the outlook back.
            let behind = known.made_at - new.made_at;
            if (1..=REPETITION_MS).contains(&behind) || **known == *new {
                return Offered::Repeated;
            }
        }
        self.outlook.known =
            self.outlook.known + usize::from(forecast.is_some()) - usize::from(known.is_some());
        Arc::make_mut(&mut self.outlook.tiles[slot.tile()])[slot.bit()] = forecast.map(Arc::new);
        Offered::Taken
    }
}
