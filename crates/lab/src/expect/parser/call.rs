//! Functions and their arguments: `p99(client.http.time, after = 5s)`.

use core::ops::Range;
use core::time::Duration;

use septet_core::Instant;
use septet_language::nearest::suggest;
use septet_language::units::Dimension;
use septet_language::words::{Word, Wrong};

use super::{Moment, Operand, OperandKind, Parser, fold};
use crate::expect::expr::{Expr, ExprKind, Series};
use crate::expect::function::{self, Function, Pure};
use crate::expect::lexer::{Token, TokenKind};
use crate::expect::metric::{Amount, LinkMetric};
use crate::expect::window::Window;
use crate::model::topology::LinkRef;

impl Parser<'_> {
    /// `p99(client.http.time, after = 5s)`, `queue(r1--r2)`
    pub(super) fn call(&mut self) -> Result<Operand, Wrong> {
        let name = self.tokens[self.next].clone();
        self.next += 2;
        let Some(function) = function::find(name.text) else {
            return Err(Wrong::new("unknown-function", name.at, format!("there is no function `{}`", name.text))
                .label("unknown function")
                .help(suggest(name.text, "functions", function::names())));
        };
        match function {
            Function::Series(of) => {
                let (series, argument) = self.series(name.text)?;
                let at = name.at.start..self.tokens[self.next - 1].at.end;
                let Some(dimension) = of.dimension(series.dimension) else {
                    let reason = format!("`{}` makes no sense of {}", name.text, series.dimension.name());
                    return Err(Wrong::new("dimension", argument, reason));
                };
                Ok(Operand {
                    kind: OperandKind::Value(Expr { kind: ExprKind::Fold { fold: of, series }, dimension }),
                    at,
                })
            }
            Function::At => {
                let (series, moment) = self.series_and_moment(name.text)?;
                let at = name.at.start..self.tokens[self.next - 1].at.end;
                let dimension = series.dimension;
                let kind = ExprKind::At { series, moment: Box::new(moment) };
                Ok(Operand { kind: OperandKind::Value(Expr { kind, dimension }), at })
            }
            Function::Fairness => {
                let (series, argument) = self.series(name.text)?;
                if series.nodes.len() < 2 {
                    return Err(Wrong::new("expression", argument, "there is nothing to share between fewer than two")
                        .help("name a range of nodes: `client[1..2].http.bytes`".to_owned()));
                }
                let at = name.at.start..self.tokens[self.next - 1].at.end;
                let expr = Expr { kind: ExprKind::Fairness(series), dimension: Dimension::Number };
                Ok(Operand { kind: OperandKind::Value(expr), at })
            }
            Function::Pure(function) => self.apply(function, &name),
            Function::Within => {
                let (series, _) = self.series(name.text)?;
                let at = name.at.start..self.tokens[self.next - 1].at.end;
                Ok(Operand { kind: OperandKind::Series(series), at })
            }
            Function::Link(metric, dimension) => {
                let links = self.links()?;
                let window = self.window()?;
                let at = name.at.start..self.tokens[self.next - 1].at.end;
                let kind = ExprKind::Link { metric, links, window };
                Ok(Operand { kind: OperandKind::Value(Expr { kind, dimension }), at })
            }
            Function::Queue(amount) => {
                let links = self.links()?;
                let window = self.window()?;
                let at = name.at.start..self.tokens[self.next - 1].at.end;
                let dimension = if amount == Amount::Bytes { Dimension::Size } else { Dimension::Number };
                let metric = LinkMetric::QueueMost(amount);
                let most = Expr { kind: ExprKind::Link { metric, links: links.clone(), window }, dimension };
                Ok(Operand { kind: OperandKind::Queue(most, links, amount, window), at })
            }
        }
    }

    /// The values that a function is applied to, up to the closing parenthesis.
    fn apply(&mut self, function: Pure, name: &Token<'_>) -> Result<Operand, Wrong> {
        let mut arguments = Vec::new();
        loop {
            let operand = self.nested(Self::sum)?;
            arguments.push(self.value(operand)?);
            if !self.take_sign(",") {
                break;
            }
        }
        self.sign(")")?;
        let at = name.at.start..self.tokens[self.next - 1].at.end;
        if arguments.len() != function.arity() {
            let reason = format!("`{}` takes {} and not {}", name.text, function.arity(), arguments.len());
            return Err(Wrong::new("expression", at, reason).label("arguments"));
        }
        let dimensions: Vec<_> = arguments.iter().map(|a| a.dimension).collect();
        let Some(dimension) = function.dimension(&dimensions) else {
            let names: Vec<_> = dimensions.iter().map(|d| d.name()).collect();
            let reason = format!("`{}` makes no sense of {}", name.text, names.join(" and "));
            return Err(Wrong::new("dimension", at, reason)
                .help("divide by a unit to get a number: `client.http.bytes / 1b`".to_owned()));
        };
        let kind = ExprKind::Apply { function, arguments };
        Ok(Operand { kind: OperandKind::Value(fold(Expr { kind, dimension })), at })
    }

    /// A series and a moment, up to the closing parenthesis.
    fn series_and_moment(&mut self, function: &str) -> Result<(Series, Expr), Wrong> {
        let (series, _) = self.bare_series(function)?;
        if !self.take_sign(",") {
            return Err(self.wrong_here("a moment is missing", "for example `at(client.tcp.cwnd, 5s)`"));
        }
        let moment = self.nested(Self::sum)?;
        let at = moment.at.clone();
        let moment = self.value(moment)?;
        if moment.dimension != Dimension::Time {
            return Err(Wrong::new(
                "dimension",
                at,
                format!("`{function}` wants a time, not {}", moment.dimension.name()),
            ));
        }
        if let ExprKind::Constant(secs) = moment.kind {
            self.moments.push(Moment { at, until: Instant::from_nanos((secs * 1e9).round() as u64) });
        }
        self.sign(")")?;
        Ok((series, moment))
    }

    /// The argument of a function over a series.
    fn bare_series(&mut self, function: &str) -> Result<(Series, Range<usize>), Wrong> {
        let argument = self.nested(Self::factor)?;
        match argument.kind {
            OperandKind::Series(series) | OperandKind::Value(Expr { kind: ExprKind::Fold { series, .. }, .. }) => {
                Ok((series, argument.at))
            }
            _ => {
                let reason = format!("`{function}` wants what a program recorded");
                Err(Wrong::new("expression", argument.at, reason)
                    .label("not a recorded series")
                    .help("for example `client.http.time`".to_owned()))
            }
        }
    }

    /// The argument and the window of a function over a series, up to the closing parenthesis.
    fn series(&mut self, function: &str) -> Result<(Series, Range<usize>), Wrong> {
        let (mut series, argument) = self.bare_series(function)?;
        let window = self.window()?;
        if window != Window::ALL {
            series.window = window;
        }
        Ok((series, argument))
    }

    /// `r1--r2` or `r1->r2`: two words joined by a sign.
    fn links(&mut self) -> Result<Vec<LinkRef>, Wrong> {
        let start = self.next;
        while self.peek().is_some_and(|t| t.kind == TokenKind::Word || matches!(t.text, "--" | "->")) {
            self.next += 1;
        }
        let tokens = &self.tokens[start..self.next];
        let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
            return Err(self.wrong_here("a link is missing", "for example `r1--r2`"));
        };
        let range = first.at.start..last.at.end;
        self.topology.links(Word { text: &self.text[range.clone()], at: range.start })
    }

    /// `, after = 5s, before = 10s)`: the rest of a call.
    fn window(&mut self) -> Result<Window, Wrong> {
        let mut window = Window::ALL;
        while self.take_sign(",") {
            let Some(name) = self.peek() else {
                return Err(self.wrong_here("an argument is missing", "`after = 5s`"));
            };
            self.next += 1;
            let bound = match name.text {
                "after" => &mut window.after,
                "before" => &mut window.before,
                other => {
                    return Err(Wrong::new(
                        "expression",
                        name.at.clone(),
                        format!("`{other}` is not an argument here"),
                    )
                    .help(suggest(other, "arguments", ["after", "before"])));
                }
            };
            self.sign("=")?;
            let value = self.sum()?;
            let at = value.at.clone();
            match value.kind {
                OperandKind::Value(Expr { kind: ExprKind::Constant(secs), dimension: Dimension::Time })
                    if secs >= 0.0 =>
                {
                    *bound = Instant::from_nanos((secs * 1e9).round() as u64);
                    if name.text == "after" {
                        let until = *bound + Duration::from_nanos(1);
                        self.moments.push(Moment { at: name.at.start..at.end, until });
                    }
                }
                _ => {
                    return Err(Wrong::new("expression", at, format!("`{}` wants a time", name.text))
                        .help(format!("for example `{} = 5s`", name.text)));
                }
            }
            if window.before <= window.after {
                return Err(Wrong::new("window", name.at.start..at.end, "the window ends before it begins"));
            }
        }
        self.sign(")")?;
        Ok(window)
    }
}
