//! From the text of an expectation to a condition, resolved against the lab's nodes and links.

mod call;

use core::ops::Range;

use septet_core::{Instant, Metric, PortReport, Reading, Star};
use septet_language::nearest::suggest;
use septet_language::units::{self, Dimension};
use septet_language::words::{Word, Wrong};

use crate::expect::expr::{Comparison, Condition, Expr, ExprKind, Operator, Quantifier, Series, Subject};
use crate::expect::function;
use crate::expect::lexer::{self, Token, TokenKind};
use crate::expect::metric::{self, Amount};
use crate::expect::ports;
use crate::expect::window::Window;
use crate::model::node::NodeKind;
use crate::model::topology::{LinkRef, Topology};

/// How deep parentheses and signs may nest.
const DEEPEST: usize = 64;

/// How many words and signs an expectation may have: what is made of it is walked through by recursion.
const LONGEST: usize = 2000;

/// A moment of the run that an expectation asks about, and where it is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Moment {
    pub(crate) at: Range<usize>,
    /// The run must last until then to have anything to say.
    pub(crate) until: Instant,
}

/// Reads the text of an expectation, and the moments from which on something counts in it. `kinds` says of what kind a node
/// is.
pub(crate) fn parse(
    text: &str,
    topology: &Topology,
    kinds: &dyn Fn(usize) -> NodeKind,
) -> Result<(Condition, Vec<Moment>), Wrong> {
    let tokens = lexer::tokens(text)?;
    if let Some(beyond) = tokens.get(LONGEST) {
        let reason = format!("an expectation of {} words and signs, more than {LONGEST}", tokens.len());
        return Err(Wrong::new("expression", beyond.at.clone(), reason)
            .label("too long")
            .help("part it into several: all of them must hold".to_owned()));
    }
    let mut parser = Parser { text, tokens: &tokens, next: 0, depth: 0, topology, kinds, moments: Vec::new() };
    let condition = parser.or()?;
    match parser.peek() {
        None => Ok((condition, parser.moments)),
        Some(token) => {
            let at = token.at.clone();
            Err(Wrong::new("expression", at, format!("`{}` is left over", token.text))
                .label("not understood here")
                .help("conditions are joined by `and` or `or`".to_owned()))
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    tokens: &'t [Token<'t>],
    next: usize,
    depth: usize,
    topology: &'t Topology,
    kinds: &'t dyn Fn(usize) -> NodeKind,
    moments: Vec<Moment>,
}

/// An operand with its place; a series has no value of its own.
struct Operand {
    kind: OperandKind,
    at: Range<usize>,
}

enum OperandKind {
    Value(Expr),
    Series(Series),
    /// What a queue's most is at the end, and what it is that varies.
    Queue(Expr, Vec<LinkRef>, Amount, Window),
}

impl<'t> Parser<'t> {
    fn or(&mut self) -> Result<Condition, Wrong> {
        let mut list = vec![self.and()?];
        while self.take_word("or") {
            list.push(self.and()?);
        }
        Ok(if list.len() == 1 { list.remove(0) } else { Condition::Or(list) })
    }

    fn and(&mut self) -> Result<Condition, Wrong> {
        let mut list = vec![self.not()?];
        while self.take_word("and") {
            list.push(self.not()?);
        }
        Ok(if list.len() == 1 { list.remove(0) } else { Condition::And(list) })
    }

    fn not(&mut self) -> Result<Condition, Wrong> {
        if self.take_word("not") {
            return self.nested(|p| Ok(Condition::Not(Box::new(p.not()?))));
        }
        for (word, quantifier) in
            [("always", Quantifier::Always), ("never", Quantifier::Never), ("eventually", Quantifier::Eventually)]
        {
            if self.take_word(word) {
                return self.over(quantifier);
            }
        }
        // A parenthesis may hold a condition or the beginning of an expression: try the condition first.
        if self.at_sign("(") {
            let start = self.next;
            self.next += 1;
            if let Ok(condition) = self.nested(Self::or)
                && self.take_sign(")")
                && !self.peek().is_some_and(|t| t.kind == TokenKind::Sign && t.text != ")")
            {
                return Ok(condition);
            }
            self.next = start;
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Condition, Wrong> {
        let left = self.sum()?;
        let start = left.at.start;
        let mut before = (left.at.clone(), self.value(left)?);
        let first = before.1.clone();
        let mut rest = Vec::new();
        while let Some(comparison) = self.take_comparison() {
            let right = self.sum()?;
            let at = right.at.clone();
            let right = self.value(right)?;
            same_dimension(&before, (&at, &right))?;
            before = (at, right.clone());
            rest.push((comparison, right));
        }
        if rest.is_empty() {
            return Err(self.wrong_here("a comparison is missing", "for example `>= 1`"));
        }
        Ok(Condition::Compare { first, rest, at: start..before.0.end })
    }

    fn over(&mut self, quantifier: Quantifier) -> Result<Condition, Wrong> {
        let left = self.sum()?;
        let start = left.at.start;
        let Some(comparison) = self.take_comparison() else {
            return Err(self.wrong_here("a comparison is missing", "for example `<= 64kb`"));
        };
        let right = self.sum()?;
        let at = start..right.at.end;
        let constant =
            |kind: &OperandKind| matches!(kind, OperandKind::Value(Expr { kind: ExprKind::Constant(_), .. }));
        let (subject, comparison, bound) = match (left.kind, right.kind) {
            (OperandKind::Value(value), other) if !constant(&other) => {
                ((other, right.at), comparison.mirrored(), (value, left.at))
            }
            (other, OperandKind::Value(value)) => ((other, left.at), comparison, (value, right.at)),
            _ => {
                return Err(Wrong::new("expression", at, "two things that vary cannot be compared over time")
                    .help("compare one of them with a number".to_owned()));
            }
        };
        let ExprKind::Constant(number) = bound.0.kind else {
            return Err(Wrong::new("expression", bound.1, "the bound is not a constant").label("varies"));
        };
        let (subject, dimension) = match subject.0 {
            OperandKind::Queue(value, links, amount, window) => {
                let limit = queue_limit(quantifier, comparison, number).ok_or_else(|| {
                    Wrong::new("expression", at.clone(), "a queue is watched for how full it gets")
                        .help("write `always queue(…) <= 64kb` or `eventually queue(…) > 64kb`".to_owned())
                })?;
                (Subject::Queue { links, amount, window, limit }, value.dimension)
            }
            OperandKind::Series(series) => {
                let dimension = series.dimension;
                (Subject::Samples { series }, dimension)
            }
            OperandKind::Value(_) => {
                return Err(Wrong::new("expression", subject.1, "this has one value only, at the end of the run")
                    .label("does not vary")
                    .help("leave `always` out, or ask for a queue or a series".to_owned()));
            }
        };
        let place = |at: &Range<usize>, dimension, kind| (at.clone(), Expr { kind, dimension });
        same_dimension(&place(&at, dimension, ExprKind::Negate(Box::new(bound.0.clone()))), (&bound.1, &bound.0))?;
        Ok(Condition::Over { quantifier, subject, comparison, bound: number, at })
    }

    fn sum(&mut self) -> Result<Operand, Wrong> {
        let mut left = self.product()?;
        while let Some(operator) = self.take_operator([("+", Operator::Add), ("-", Operator::Subtract)]) {
            let right = self.product()?;
            left = self.binary(left, operator, right)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Operand, Wrong> {
        let mut left = self.factor()?;
        while let Some(operator) = self.take_operator([("*", Operator::Multiply), ("/", Operator::Divide)]) {
            let right = self.factor()?;
            left = self.binary(left, operator, right)?;
        }
        Ok(left)
    }

    fn binary(&mut self, left: Operand, operator: Operator, right: Operand) -> Result<Operand, Wrong> {
        use Dimension::{Number, Rate, Size, Time};
        let at = left.at.start..right.at.end;
        let (left, right) = (self.value(left)?, self.value(right)?);
        let dimension = match (operator, left.dimension, right.dimension) {
            (Operator::Add | Operator::Subtract, a, b) if a == b => a,
            (Operator::Multiply, a, Number) | (Operator::Multiply, Number, a) | (Operator::Divide, a, Number) => a,
            (Operator::Divide, a, b) if a == b => Number,
            (Operator::Divide, Size, Time) => Rate,
            (Operator::Divide, Size, Rate) => Time,
            (Operator::Multiply, Rate, Time) | (Operator::Multiply, Time, Rate) => Size,
            (_, a, b) => {
                let verb = match operator {
                    Operator::Add => "added to",
                    Operator::Subtract => "taken from",
                    Operator::Multiply => "multiplied with",
                    Operator::Divide => "divided by",
                };
                let (first, second) = if operator == Operator::Subtract { (b, a) } else { (a, b) };
                return Err(Wrong::new(
                    "dimension",
                    at,
                    format!("{} cannot be {verb} {}", first.name(), second.name()),
                )
                .label("units do not fit"));
            }
        };
        let kind = ExprKind::Binary { operator, left: Box::new(left), right: Box::new(right) };
        Ok(Operand { kind: OperandKind::Value(fold(Expr { kind, dimension })), at })
    }

    fn factor(&mut self) -> Result<Operand, Wrong> {
        let Some(token) = self.peek() else {
            return Err(
                self.wrong_here("a value is missing", "a number, a metric such as `client.http.ok`, or a function")
            );
        };
        match (token.kind, token.text) {
            (TokenKind::Number, text) => {
                self.next += 1;
                let (number, dimension) = units::literal(text)
                    .map_err(|r| Wrong::refused("unit", token.at.clone(), r).label("not understood"))?;
                let kind = OperandKind::Value(Expr { kind: ExprKind::Constant(number), dimension });
                Ok(Operand { kind, at: token.at.clone() })
            }
            (TokenKind::Sign, "-") => {
                self.next += 1;
                let operand = self.nested(Self::factor)?;
                let at = token.at.start..operand.at.end;
                let value = self.value(operand)?;
                let dimension = value.dimension;
                let negated = fold(Expr { kind: ExprKind::Negate(Box::new(value)), dimension });
                Ok(Operand { kind: OperandKind::Value(negated), at })
            }
            (TokenKind::Sign, "(") => {
                self.next += 1;
                let operand = self.nested(Self::sum)?;
                self.sign(")")?;
                Ok(operand)
            }
            (TokenKind::Word, _) if self.tokens.get(self.next + 1).is_some_and(|t| t.text == "(") => self.call(),
            (TokenKind::Word, _) => {
                self.next += 1;
                self.metric(token)
            }
            _ => Err(Wrong::new("expression", token.at.clone(), format!("`{}` is not a value", token.text))
                .help("a number, a metric such as `client.http.ok`, or a function".to_owned())),
        }
    }

    /// `client.http.ok`: what is recorded or counted at one or more nodes.
    fn metric(&mut self, token: &Token<'_>) -> Result<Operand, Wrong> {
        let text = token.text;
        // The dots of a range are not the one behind the node.
        let after = text.find(']').unwrap_or(0);
        let Some(dot) = text[after..].find('.').map(|at| after + at) else {
            let mut wrong = Wrong::new("unknown-metric", token.at.clone(), format!("`{text}` is not a value"));
            wrong = match self.topology.find(text) {
                Some(_) => wrong.help(format!("name what is meant of it, for example `{text}.http.ok`")),
                None if function::find(text).is_some() => {
                    wrong.help(format!("functions take parentheses: `{text}(…)`"))
                }
                None => wrong.help(suggest(text, "functions", function::names())),
            };
            return Err(wrong.label("not a value"));
        };
        let node = Word { text: &text[..dot], at: token.at.start };
        let nodes = self.topology.nodes(node).map_err(|mut wrong| {
            if let Some((a, b)) = text[..dot].split_once('-')
                && self.topology.find(b).is_some()
            {
                wrong.refusal.help = Some(format!("a subtraction has spaces around its sign: `{a} - {b}`"));
            }
            wrong
        })?;
        let name = &text[dot + 1..];
        let at = token.at.clone();
        if let Some(metric) = metric::find(name) {
            self.recorded_at(&metric, name, &nodes, &at)?;
            let dimension = metric::dimension(metric.unit);
            let series = Series { nodes, name: name.to_owned(), dimension, window: Window::ALL };
            let kind = match metric.reading {
                Reading::Each => OperandKind::Series(series),
                Reading::Sum => {
                    OperandKind::Value(Expr { kind: ExprKind::Fold { fold: function::Fold::Sum, series }, dimension })
                }
            };
            return Ok(Operand { kind, at });
        }
        let (port, counter) = ports::split(name);
        let at_ports = PortReport::is_name(counter);
        if at_ports && let Some(port) = port {
            self.has_port(port, &nodes, &at)?;
        }
        let counted = metric::counters().any(|(_, metric)| metric.name == name);
        if counted && let Some(node) = nodes.iter().find(|node| !metric::counts((self.kinds)(**node), name)) {
            return Err(self.not_there(*node, name, &at));
        }
        if at_ports || counted {
            let kind = ExprKind::Counter { nodes, name: name.to_owned(), window: Window::ALL };
            return Ok(Operand { kind: OperandKind::Value(Expr { kind, dimension: Dimension::Number }), at });
        }
        let recorded = metric::recorded().iter().map(|declared| &declared.metric);
        let counted = metric::counters().map(|(_, metric)| metric).chain(PortReport::metrics());
        let known: Vec<&str> = recorded.chain(counted).map(|metric| metric.name).collect();
        let place = token.at.start + dot + 1..token.at.end;
        Err(Wrong::new("unknown-metric", place, format!("nothing is recorded under the name `{name}`"))
            .label("unknown metric")
            .help(suggest(name, "metrics", known)))
    }

    /// Whether `metric` can be recorded under `name` at all of `nodes`.
    fn recorded_at(&self, metric: &Metric, name: &str, nodes: &[usize], at: &Range<usize>) -> Result<(), Wrong> {
        if let Some(node) = nodes.iter().find(|node| !(self.kinds)(**node).has_addresses()) {
            return Err(self.not_there(*node, name, at));
        }
        match metric.star_of(name).filter(|_| metric.star == Star::Port).and_then(ports::number) {
            Some(port) => self.has_port(port, nodes, at),
            None => Ok(()),
        }
    }

    fn has_port(&self, port: u16, nodes: &[usize], at: &Range<usize>) -> Result<(), Wrong> {
        match nodes.iter().find(|node| !self.topology.has_port(**node, port)) {
            None => Ok(()),
            Some(node) => {
                let reason = format!("`{}` has no port eth{port}", self.topology.name(*node));
                Err(Wrong::new("unknown-metric", at.clone(), reason).label("no such port"))
            }
        }
    }

    /// A node of another kind would have what is asked for.
    fn not_there(&self, node: usize, name: &str, at: &Range<usize>) -> Wrong {
        let kind = (self.kinds)(node).as_str();
        let reason = format!("`{}` is a {kind}, and has no `{name}`", self.topology.name(node));
        let counts: Vec<_> = metric::counted((self.kinds)(node)).map(|metric| metric.name).collect();
        Wrong::new("unknown-metric", at.clone(), reason).label("not there").help(suggest(name, "metrics", counts))
    }

    /// The value of an operand; a series has none until a function folds it.
    fn value(&self, operand: Operand) -> Result<Expr, Wrong> {
        match operand.kind {
            OperandKind::Value(value) => Ok(value),
            OperandKind::Queue(value, _, _, Window::ALL) => Ok(value),
            OperandKind::Queue(..) => {
                Err(Wrong::new("expression", operand.at, "the most of a part of the run is not kept")
                    .help("put `always` or `eventually` in front, or leave `after` and `before` out".to_owned()))
            }
            OperandKind::Series(_) => {
                let text = &self.text[operand.at.clone()];
                Err(Wrong::new("expression", operand.at, format!("`{text}` has many values"))
                    .label("a series")
                    .help(format!("say which one: `mean({text})`, `p99({text})`, `always {text} < …`")))
            }
        }
    }

    fn peek(&self) -> Option<&'t Token<'t>> {
        self.tokens.get(self.next)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|t| t.kind == TokenKind::Word && t.text == word);
        self.next += usize::from(found);
        found
    }

    fn at_sign(&self, sign: &str) -> bool {
        self.peek().is_some_and(|t| t.kind == TokenKind::Sign && t.text == sign)
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.at_sign(sign);
        self.next += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> Result<(), Wrong> {
        if self.take_sign(sign) {
            return Ok(());
        }
        Err(self.wrong_here(&format!("`{sign}` is missing"), ""))
    }

    fn take_operator<const N: usize>(&mut self, table: [(&str, Operator); N]) -> Option<Operator> {
        table.into_iter().find(|(sign, _)| self.take_sign(sign)).map(|(_, operator)| operator)
    }

    fn take_comparison(&mut self) -> Option<Comparison> {
        [
            ("<", Comparison::Less),
            ("<=", Comparison::LessOrEqual),
            (">", Comparison::Greater),
            (">=", Comparison::GreaterOrEqual),
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("=", Comparison::Equal),
        ]
        .into_iter()
        .find(|(sign, _)| self.take_sign(sign))
        .map(|(_, comparison)| comparison)
    }

    /// Something is missing where the parser stands.
    fn wrong_here(&self, reason: &str, example: &str) -> Wrong {
        let at = self.peek().map_or(self.text.len()..self.text.len(), |t| t.at.clone());
        let wrong = Wrong::new("expression", at, reason).label("expected here");
        if example.is_empty() { wrong } else { wrong.help(example.to_owned()) }
    }

    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Wrong>) -> Result<T, Wrong> {
        if self.depth == DEEPEST {
            return Err(self.wrong_here(&format!("nested more than {DEEPEST} deep"), ""));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }
}

/// Computes what is constant.
fn fold(expr: Expr) -> Expr {
    let constant = |e: &Expr| match e.kind {
        ExprKind::Constant(n) => Some((n, e.dimension)),
        _ => None,
    };
    let value = match &expr.kind {
        ExprKind::Negate(of) => constant(of).map(|(n, _)| -n),
        ExprKind::Binary { operator, left, right } => match (constant(left), constant(right)) {
            (Some(a), Some(b)) => Some(operator.apply(a, b)),
            _ => None,
        },
        ExprKind::Apply { function, arguments } => {
            let values: Option<Vec<f64>> = arguments.iter().map(|a| constant(a).map(|(n, _)| n)).collect();
            values.map(|values| function.apply(&values))
        }
        _ => None,
    };
    match value {
        Some(n) => Expr { kind: ExprKind::Constant(n), dimension: expr.dimension },
        None => expr,
    }
}

/// Both sides of a comparison measure the same; zero needs no unit.
fn same_dimension(left: &(Range<usize>, Expr), right: (&Range<usize>, &Expr)) -> Result<(), Wrong> {
    let zero = |e: &Expr| matches!(e.kind, ExprKind::Constant(n) if n == 0.0);
    let (a, b) = (left.1.dimension, right.1.dimension);
    if a == b || zero(&left.1) || zero(right.1) {
        return Ok(());
    }
    let at = if matches!(left.1.kind, ExprKind::Constant(_)) { left.0.clone() } else { right.0.clone() };
    let help = match (a.max(b), matches!(a, Dimension::Number) || matches!(b, Dimension::Number)) {
        (Dimension::Time, true) => Some("a time has a unit: `900ms`, `2s`"),
        (Dimension::Size, true) => Some("a size has a unit: `64kb`, `1500b`"),
        (Dimension::Rate, true) => Some("a rate has a unit: `20mbit`"),
        _ => None,
    };
    Err(Wrong::new("dimension", at, format!("{} cannot be compared with {}", a.name(), b.name()))
        .label("units do not fit")
        .help(help.map(str::to_owned)))
}

/// The largest whole number that does not answer the question "is there ever more than this?" with yes, for the
/// questions that can be asked of a queue.
fn queue_limit(quantifier: Quantifier, comparison: Comparison, bound: f64) -> Option<u64> {
    // `always x <= b` asks whether x is ever more than b; so do `never x > b` and `eventually x > b`.
    let limit = match (quantifier, comparison) {
        (Quantifier::Always, Comparison::LessOrEqual)
        | (Quantifier::Never | Quantifier::Eventually, Comparison::Greater) => bound.floor(),
        (Quantifier::Always, Comparison::Less)
        | (Quantifier::Never | Quantifier::Eventually, Comparison::GreaterOrEqual) => bound.ceil() - 1.0,
        _ => return None,
    };
    (limit >= 0.0).then_some(limit as u64)
}
