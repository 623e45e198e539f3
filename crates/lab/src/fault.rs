//! Faults: what goes wrong in a lab, and when. `5s..7s: loss 20% on r1--r2`
//!
//! A new kind of fault is one file and one line in [`script`]'s table: the file says how it is written and, as an
//! [`Effect`](kind::Effect), what it does when it begins. What it does with the [`Injector`](injector::Injector) is undone
//! when it ends. A fault of packets says as an [`Action`](filter::Action) what becomes of one.

pub(crate) mod board;
mod clock;
mod cut;
pub(crate) mod damage;
mod delay;
mod drop;
mod duplicate;
mod filter;
mod flap;
mod hold;
mod injector;
pub(crate) mod kind;
mod medium;
pub(crate) mod packets;
mod places;
mod power;
mod reject;
mod reset;
mod restore;
pub(crate) mod script;
mod wipe;
