//! From what is believed to the classes that are told.

use model::LinkState;
use roadnet::LinkIndex;

use super::{Class, Measure, Step, chain};
use crate::Analyzer;
use crate::graph::Stage;
use crate::level;
use crate::partition::{Context, Partition};
use crate::regime::Regimes;
use crate::told::Basis;

/// What is believed of a link, and what is told for it.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) belief: Option<Regimes>,
    pub(super) standstill: f64,
    pub(super) jammed_while_driven: f64,
    pub(super) chain: Vec<Step>,
    pub(super) class: Option<Class>,
    pub(super) measure: Option<Measure>,
}

pub(super) fn of(
    analyzer: &Analyzer,
    partition: &Partition,
    link: LinkIndex,
    state: &LinkState,
    context: &Context<'_>,
) -> Judged {
    let site = &context.sites[link.index()];
    if let Some(cell) = partition.cell(link.0).filter(|cell| cell.own.counts()) {
        let rest = partition.typical.here(&cell.own, site, &context.config.parts).rest(site);
        let stages = [(Stage::Usual, rest), (Stage::Sensors, cell.own.belief)];
        return judge(
            &stages,
            &Basis::of_sensors(&cell.own, site, &partition.typical, &context.config.parts),
            state,
            context,
        );
    }
    let Some((belief, own)) = analyzer.graph.known(link, context) else { return Judged::default() };
    let typical = &partition.typical;
    let parts = &context.config.parts;
    let basis =
        Basis { belief: &belief, own: &own, source: state.source, counted: false, site, typical, parts };
    judge(&analyzer.graph.stages(link, context), &basis, state, context)
}

fn judge(stages: &[(Stage, Regimes)], basis: &Basis<'_>, state: &LinkState, context: &Context<'_>) -> Judged {
    let chance = basis.chance();
    Judged {
        belief: Some(*basis.belief),
        standstill: chance.still(),
        jammed_while_driven: chance.jammed_while_driven(),
        chain: chain::of(stages, basis),
        class: class(basis, state, context),
        measure: measure(basis, state, context),
    }
}

fn class(basis: &Basis<'_>, state: &LinkState, context: &Context<'_>) -> Option<Class> {
    let config = context.config;
    let (chance, own, site) = (basis.chance(), basis.own, basis.site);
    let cuts_y = own.cuts_y(site);
    Some(Class {
        level: state.level_of_service?,
        congested: state.congested?,
        share: f64::from(state.speed_kmh?) / own.free_kmh(site),
        levels: level::probabilities(|cut| chance.above(cuts_y[cut])),
        level_margin: config.hysteresis_level,
        congested_probability: chance.above(own.congested_y(site, config)),
        congested_bar: config.congested_probability,
        congested_kept_bar: config.congested_probability - config.hysteresis_probability,
    })
}

fn measure(basis: &Basis<'_>, state: &LinkState, context: &Context<'_>) -> Option<Measure> {
    let config = &context.config.facility;
    let measured = basis.measured()?;
    Some(Measure {
        facility: measured.facility,
        level: state.los_facility,
        value: measured.value_at(basis.belief.quantile(0.5)),
        cuts: *measured.cuts(config),
        levels: level::probabilities(|cut| measured.beyond(cut, config)),
    })
}
