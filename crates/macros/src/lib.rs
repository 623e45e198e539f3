//! The attribute `septet::test`, which is told of there.

use std::str::FromStr as _;

use proc_macro::{Delimiter, Span, TokenStream, TokenTree};

/// Plays a test with many seeds: `#[septet::test(seeds = 100)]`.
///
/// See `septet::test` in the crate `septet`.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    match expand(arguments, item) {
        Ok(test) => test,
        Err(Mistake { at, words }) => {
            let error: TokenStream = format!("::core::compile_error! {{ {words:?} }}").parse().expect("an error");
            error
                .into_iter()
                .map(|mut tree| {
                    tree.set_span(at);
                    tree
                })
                .collect()
        }
    }
}

/// What is wrong, and where.
struct Mistake {
    at: Span,
    words: String,
}

fn wrong<T>(at: Span, words: impl Into<String>) -> Result<T, Mistake> {
    Err(Mistake { at, words: words.into() })
}

fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream, Mistake> {
    let seeds = seeds(arguments)?;
    let Function { attributes, is_async, name, returns, body } = function(item)?;
    let mut test = String::new();
    test.push_str("#[::core::prelude::v1::test] ");
    let mut out = tokens(&test);
    out.extend(attributes);
    let call =
        if is_async { "::septet::test::alone(__septet_body())" } else { "::septet::test::Ends::ends(__septet_body())" };
    let mut inner = tokens(if is_async { "async fn __septet_body()" } else { "fn __septet_body()" });
    inner.extend(returns);
    inner.extend([body]);
    inner.extend(tokens("let __septet_seeds = ::septet::test::Seeds::from"));
    inner.extend([TokenTree::Group(proc_macro::Group::new(Delimiter::Parenthesis, seeds))]);
    inner.extend(tokens(&format!(
        "; let __septet_test = ::septet::test::Test {{ seeds: __septet_seeds, \
         name: ::core::concat!(::core::module_path!(), \"::\", ::core::stringify!({name})), \
         directory: ::core::option_env!(\"CARGO_TARGET_TMPDIR\") }}; \
         ::septet::test::run(&__septet_test, || {call})"
    )));
    out.extend(tokens("fn"));
    out.extend([name]);
    out.extend(tokens("()"));
    out.extend([TokenTree::Group(proc_macro::Group::new(Delimiter::Brace, inner))]);
    Ok(out)
}

fn tokens(text: &str) -> TokenStream {
    TokenStream::from_str(text).expect("tokens")
}

/// The value of `seeds`; one, where there is none.
fn seeds(arguments: TokenStream) -> Result<TokenStream, Mistake> {
    const HELP: &str = "`seeds = 100`, `seeds = 5..50` or nothing is understood";
    let mut rest = arguments.into_iter();
    let Some(first) = rest.next() else { return Ok(tokens("1")) };
    if !matches!(&first, TokenTree::Ident(name) if name.to_string() == "seeds") {
        return wrong(first.span(), HELP);
    }
    if !matches!(rest.next(), Some(TokenTree::Punct(sign)) if sign.as_char() == '=') {
        return wrong(first.span(), HELP);
    }
    let value: TokenStream = rest.collect();
    if value.is_empty()
        || value.clone().into_iter().any(|tree| matches!(tree, TokenTree::Punct(p) if p.as_char() == ','))
    {
        return wrong(first.span(), HELP);
    }
    Ok(value)
}

/// A test's function.
struct Function {
    attributes: TokenStream,
    is_async: bool,
    name: TokenTree,
    /// `-> Result<…>`, where it returns anything.
    returns: TokenStream,
    body: TokenTree,
}

fn function(item: TokenStream) -> Result<Function, Mistake> {
    let mut rest = item.into_iter().peekable();
    let mut attributes = TokenStream::new();
    let mut is_async = false;
    loop {
        match rest.next() {
            Some(TokenTree::Punct(sign)) if sign.as_char() == '#' => {
                attributes.extend([TokenTree::Punct(sign)]);
                attributes.extend(rest.next());
            }
            Some(TokenTree::Ident(word)) => match word.to_string().as_str() {
                "fn" => break,
                "async" => is_async = true,
                // Who sees a test is of no concern.
                "pub" => {
                    rest.next_if(|tree| matches!(tree, TokenTree::Group(_)));
                }
                _ => return wrong(word.span(), "a test is a function: `fn`, or `async fn`"),
            },
            Some(other) => return wrong(other.span(), "a test is a function: `fn`, or `async fn`"),
            None => return wrong(Span::call_site(), "a test is a function: `fn`, or `async fn`"),
        }
    }
    let Some(name @ TokenTree::Ident(_)) = rest.next() else {
        return wrong(Span::call_site(), "the test has no name");
    };
    match rest.next() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
            if let Some(parameter) = group.stream().into_iter().next() {
                return wrong(parameter.span(), "a test takes nothing: make its world by `septet::test::World::new()`");
            }
        }
        _ => return wrong(name.span(), "a test is not generic"),
    }
    let mut behind: Vec<TokenTree> = rest.collect();
    match behind.pop() {
        Some(body @ TokenTree::Group(_)) => {
            Ok(Function { attributes, is_async, name, returns: behind.into_iter().collect(), body })
        }
        _ => wrong(name.span(), "the test has no body"),
    }
}
