//! What an expectation says, once it is read.

use core::ops::Range;

use septet_language::units::Dimension;

use crate::expect::function;
use crate::expect::metric::{Amount, LinkMetric};
use crate::expect::window::Window;
use crate::model::topology::LinkRef;

/// An expectation of a lab, checked and resolved.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// Its name in the lab file.
    pub name: String,
    /// Its text.
    pub text: String,
    pub(crate) condition: Condition,
}

/// What must be prepared before a run, so that it can be answered at its end.
#[derive(Clone, PartialEq, Debug)]
pub enum Probe {
    /// How much a counter of a node grew in a part of the run.
    Counter {
        /// The node.
        node: usize,
        /// The counter.
        name: String,
        /// The part of the run.
        window: Window,
    },
    /// What happened at a link in a part of the run.
    Link {
        /// The link.
        link: LinkRef,
        /// What.
        metric: LinkMetric,
        /// The part of the run.
        window: Window,
    },
    /// Whether a queue held more than a limit.
    Queue(QueueProbe),
}

impl Probe {
    /// Whether something has to be read or watched before the end of the run.
    pub(crate) fn is_prepared(&self) -> bool {
        match self {
            Self::Counter { window, .. } | Self::Link { window, .. } => *window != Window::ALL,
            Self::Queue(_) => true,
        }
    }
}

/// The question whether more than `limit` waits before a link at any time of `window`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct QueueProbe {
    /// The link.
    pub link: LinkRef,
    /// In what the limit is counted.
    pub amount: Amount,
    /// The most that is no excess.
    pub limit: u64,
    /// The part of the run.
    pub window: Window,
}

/// Something that is true or false at the end of a run.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    /// `a < b <= c`
    Compare {
        first: Expr,
        rest: Vec<(Comparison, Expr)>,
        at: Range<usize>,
    },
    /// All of them.
    And(Vec<Condition>),
    /// One of them at least.
    Or(Vec<Condition>),
    Not(Box<Condition>),
    /// `always queue(r1--r2) <= 64kb`: a comparison of something that varies with a constant.
    Over {
        quantifier: Quantifier,
        subject: Subject,
        comparison: Comparison,
        bound: f64,
        at: Range<usize>,
    },
}

/// How often a comparison must hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Quantifier {
    Always,
    Never,
    Eventually,
}

/// What varies over the run.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// What waits before the links; the question is when it is more than `limit`.
    Queue {
        links: Vec<LinkRef>,
        amount: Amount,
        window: Window,
        limit: u64,
    },
    Samples {
        series: Series,
    },
}

/// A comparison of two values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Comparison {
    pub(crate) fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Self::Less => a < b,
            Self::LessOrEqual => a <= b,
            Self::Greater => a > b,
            Self::GreaterOrEqual => a >= b,
            Self::Equal => a == b,
            Self::NotEqual => a != b,
        }
    }

    /// `a < b` says the same as `b > a`.
    pub(crate) fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
        }
    }
}

/// Something that has a value at the end of a run.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) dimension: Dimension,
}

#[derive(Clone, Debug)]
pub(crate) enum ExprKind {
    Constant(f64),
    /// The samples of a series, folded to one value.
    Fold {
        fold: function::Fold,
        series: Series,
    },
    /// The last sample of a series before or at a moment.
    At {
        series: Series,
        moment: Box<Expr>,
    },
    /// Jain's index of the sums of each node's samples.
    Fairness(Series),
    /// A function of one or two values.
    Apply {
        function: function::Pure,
        arguments: Vec<Expr>,
    },
    /// A counter of one or more nodes.
    Counter {
        nodes: Vec<usize>,
        name: String,
        window: Window,
    },
    /// Something of one or more links.
    Link {
        metric: LinkMetric,
        links: Vec<LinkRef>,
        window: Window,
    },
    Negate(Box<Expr>),
    Binary {
        operator: Operator,
        left: Box<Expr>,
        right: Box<Expr>,
    },
}

/// Samples that the programs of one or more nodes recorded under one name.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) nodes: Vec<usize>,
    pub(crate) name: String,
    pub(crate) dimension: Dimension,
    pub(crate) window: Window,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}
