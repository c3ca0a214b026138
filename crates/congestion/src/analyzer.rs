//! The analyser as others call it.

use std::sync::Arc;

use model::{Forecast, LinkState, Observation, Timestamp, TrafficEvent};
use roadnet::{Network, Registry};

use crate::Config;
use crate::graph::Graph;
use crate::partition::{Context, Frozen, Partition};
use crate::site::{self, Device, Site};
use crate::told::Told;

/// Folds the observations of the owned partitions into link states and events.
///
/// Not thread-safe by itself: one owner calls it. Its memory is bounded by links, sensors, the readings of two
/// latenesses, and by how far the partitions are apart: while one lags, the others keep what changed at each graph boundary.
#[derive(Debug)]
pub struct Analyzer {
    pub(crate) network: Arc<Network>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) config: Config,
    pub(crate) partition_count: u32,
    sites: Vec<Site>,
    devices: Vec<Device>,
    /// Sorted by number.
    pub(crate) partitions: Vec<Partition>,
    pub(crate) graph: Graph,
}

/// What changed at the boundaries that were passed.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Changes {
    /// New states, by boundary, then in the order of links.
    pub states: Vec<LinkState>,
    /// News of events.
    pub events: Vec<TrafficEvent>,
    /// What is expected of links of late, where that changed notably.
    pub forecasts: Vec<Forecast>,
}

impl Changes {
    /// Tells whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty() && self.events.is_empty() && self.forecasts.is_empty()
    }
}

impl Analyzer {
    /// Returns an analyser that owns `partitions` of `partition_count`.
    pub fn new(
        network: Arc<Network>,
        registry: Arc<Registry>,
        config: Config,
        partitions: &[u32],
        partition_count: u32,
    ) -> Self {
        let mut owned = partitions.to_vec();
        owned.sort_unstable();
        owned.dedup();
        let (partitions, graph) = (owned.into_iter().map(Partition::new).collect(), Graph::new(&network));
        Self::of(network, registry, config, (partitions, partition_count), graph)
    }

    /// Returns an analyser of that state; partitions in the order of their numbers, with how many there are in all.
    pub(crate) fn of(
        network: Arc<Network>,
        registry: Arc<Registry>,
        config: Config,
        (partitions, partition_count): (Vec<Partition>, u32),
        graph: Graph,
    ) -> Self {
        let owned: Vec<u32> = partitions.iter().map(|partition| partition.number).collect();
        let sites = site::sites(&network, &owned, partition_count);
        let devices = site::devices(&network, &registry, &sites);
        Self { network, registry, config, partition_count, sites, devices, partitions, graph }
    }

    /// Moves a partition's clock to `log_time` (a record's or a marker's `received_at`), to be called before the record is
    /// observed. Returns what changed at the boundaries that lie before `log_time`; nothing, and at once, when there is none,
    /// or when the partition is not owned.
    pub fn advance(&mut self, partition: u32, log_time: Timestamp) -> Changes {
        let Some(place) = self.place(partition) else { return Changes::default() };
        if self.partitions[place].is_before_boundary(log_time) {
            return Changes::default();
        }
        let mut changes = Changes::default();
        while let Some(boundary) = self.partitions[place].pass(log_time, &self.config) {
            self.estimate(place, boundary, &mut changes);
        }
        self.run_graph(&mut changes);
        changes
    }

    /// Asks for the memory that the next few records of a partition will need, [`AT_ONCE`](crate::AT_ONCE) at best: so
    /// [`observe`](Self::observe) takes about a quarter less. Changes nothing.
    pub fn prepare<'o>(&self, partition: u32, coming: impl IntoIterator<Item = &'o Observation>) {
        if let Some(place) = self.place(partition) {
            self.partitions[place].prepare(coming, &self.context());
        }
    }

    /// Takes a record of a partition. A repetition, a link or a partition that is not ours, and what is too late changes
    /// nothing.
    pub fn observe(&mut self, partition: u32, observation: &Observation) {
        let Some(place) = self.place(partition) else { return };
        let context = Context {
            network: &self.network,
            registry: &self.registry,
            config: &self.config,
            sites: &self.sites,
            devices: &self.devices,
        };
        self.partitions[place].observe(observation, &context);
    }

    /// Yields the newest state of every link of the owned partitions, in the order of links.
    pub fn snapshot(&self) -> impl Iterator<Item = LinkState> + '_ {
        self.network.indices().filter_map(move |index| {
            let site = &self.sites[index.index()];
            let partition = self.partition_of(site)?;
            let told = partition.told(index.0).newer(self.graph.told(index.0));
            Some(told.state(self.network.link(index).id.clone(), site))
        })
    }

    /// Returns what was last told to be expected of each link.
    pub fn forecasts(&self) -> Vec<Forecast> {
        self.graph.told_forecasts(&self.context())
    }

    /// Makes anew what a checkpoint does not hold.
    pub(crate) fn resume(&mut self) {
        let Self { network, registry, config, sites, devices, graph, .. } = self;
        graph.resume(&Context { network, registry, config, sites, devices });
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            network: &self.network,
            registry: &self.registry,
            config: &self.config,
            sites: &self.sites,
            devices: &self.devices,
        }
    }

    /// Returns the partition of a link, where it is owned.
    pub(crate) fn partition_of(&self, site: &Site) -> Option<&Partition> {
        Some(&self.partitions[self.place(site.partition)?])
    }

    fn place(&self, partition: u32) -> Option<usize> {
        self.partitions.binary_search_by_key(&partition, |p| p.number).ok()
    }

    fn estimate(&mut self, place: usize, boundary: Timestamp, changes: &mut Changes) {
        let context = Context {
            network: &self.network,
            registry: &self.registry,
            config: &self.config,
            sites: &self.sites,
            devices: &self.devices,
        };
        let partition = &mut self.partitions[place];
        let tell = |link: u32, told: &Told| changes.states.push(context.state(link, told));
        if boundary.as_millis() % self.config.graph_boundary_ms == 0 {
            partition.estimate_due(boundary, &context, tell);
        } else {
            partition.estimate_heard(boundary, &context, tell);
        }
    }

    /// Runs the graph stage for each boundary that all owned partitions have passed.
    fn run_graph(&mut self, changes: &mut Changes) {
        let Self { network, registry, config, sites, devices, partitions, graph, .. } = self;
        let context = Context { network, registry, config, sites, devices };
        let reached = partitions.iter().map(|p| p.progress(config)).min().unwrap_or(Timestamp::MIN);
        loop {
            let next = partitions.iter_mut().filter_map(|p| p.frozen().front().map(|f| f.at)).min();
            let Some(at) = next.filter(|at| *at <= reached) else { return };
            let frozen: Vec<Frozen> =
                partitions.iter_mut().filter_map(|p| p.frozen().pop_front_if(|f| f.at == at)).collect();
            let tell = |link: u32, told: &Told| changes.states.push(context.state(link, told));
            let events = graph.step(at, &frozen, &context, tell);
            changes.events.extend(events);
            changes.forecasts.extend(graph.forecasts(at, &context));
        }
    }
}
