//! Reads a constant that a Python script says at its outermost level, without running the script:
//! strings, and tuples, lists and dictionaries of strings. Nothing else is understood, nor needs to be.

use std::iter::Peekable;
use std::str::Chars;

/// A constant of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Literal {
    /// A string.
    Text(String),
    /// A tuple, a list or a set.
    List(Vec<Literal>),
    /// A dictionary, in the order in which it is written.
    Pairs(Vec<(Literal, Literal)>),
}

impl Literal {
    /// The text of a string.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Literal::Text(text) => Some(text),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Name(String),
    Text(String),
    Sign(char),
    /// A line begins that is not indented and not within brackets.
    Line,
}

/// The constant `name` of a script: what the last `name = …` at its outermost level says. None where
/// there is none.
///
/// # Errors
///
/// The value is more than strings in brackets, or the script cannot be read as Python.
pub(crate) fn constant(script: &str, name: &str) -> Result<Option<Literal>, String> {
    let tokens = tokens(script)?;
    let mut found = None;
    for (place, token) in tokens.iter().enumerate() {
        let begins = *token == Token::Line
            && matches!(tokens.get(place + 1), Some(Token::Name(word)) if word == name);
        if !begins {
            continue;
        }
        let statement: Vec<&Token> =
            tokens[place + 2..].iter().take_while(|token| **token != Token::Line).collect();
        let Some(value) = assigned(&statement) else { continue };
        let mut rest = value.iter().copied().peekable();
        let literal = literal(&mut rest).filter(|_| rest.peek().is_none()).ok_or_else(|| {
            format!("{name} is more than strings, tuples and dictionaries of them")
        })?;
        found = Some(literal);
    }
    Ok(found)
}

/// What is behind the `=` of an assignment, with or without an annotation; none where it is another
/// statement.
fn assigned<'t, 's>(statement: &'s [&'t Token]) -> Option<&'s [&'t Token]> {
    let equals = statement.iter().position(|token| **token == Token::Sign('='))?;
    let compared = statement.get(equals + 1) == Some(&&Token::Sign('='));
    let plain = equals == 0 || *statement[0] == Token::Sign(':');
    (plain && !compared).then(|| &statement[equals + 1..])
}

fn literal<'t>(tokens: &mut Peekable<impl Iterator<Item = &'t Token>>) -> Option<Literal> {
    match tokens.next()? {
        Token::Text(text) => {
            let mut text = text.clone();
            // Strings that stand side by side are one.
            while let Some(Token::Text(more)) = tokens.peek() {
                text.push_str(more);
                tokens.next();
            }
            Some(Literal::Text(text))
        }
        Token::Sign(open @ ('(' | '[' | '{')) => bracket(*open, tokens),
        _ => None,
    }
}

fn bracket<'t>(
    open: char,
    tokens: &mut Peekable<impl Iterator<Item = &'t Token>>,
) -> Option<Literal> {
    let close = Token::Sign(match open {
        '(' => ')',
        '[' => ']',
        _ => '}',
    });
    let (mut items, mut pairs, mut commas) = (Vec::new(), Vec::new(), 0);
    loop {
        if **tokens.peek()? == close {
            tokens.next();
            break;
        }
        let item = literal(tokens)?;
        if open == '{' && **tokens.peek()? == Token::Sign(':') {
            tokens.next();
            pairs.push((item, literal(tokens)?));
        } else {
            items.push(item);
        }
        if **tokens.peek()? == Token::Sign(',') {
            tokens.next();
            commas += 1;
        } else if **tokens.peek()? != close {
            return None;
        }
    }
    match (open, items.len()) {
        ('{', 0) => Some(Literal::Pairs(pairs)),
        // Brackets around one thing are no tuple.
        ('(', 1) if commas == 0 => items.pop(),
        _ if pairs.is_empty() => Some(Literal::List(items)),
        _ => None,
    }
}

fn tokens(script: &str) -> Result<Vec<Token>, String> {
    let mut tokens = vec![Token::Line];
    let mut rest = script.chars().peekable();
    let mut depth = 0_usize;
    while let Some(c) = rest.next() {
        match c {
            '#' => while rest.next_if(|c| *c != '\n').is_some() {},
            '\\' => drop(rest.next_if(|c| *c == '\n')),
            '\n' if depth == 0 => match rest.peek() {
                Some(next) if next.is_whitespace() || *next == '#' => {}
                _ => tokens.push(Token::Line),
            },
            c if c.is_whitespace() => {}
            '\'' | '"' => tokens.push(Token::Text(string(c, false, &mut rest)?)),
            c if c.is_alphabetic() || c == '_' => {
                let mut word = String::from(c);
                while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    word.push(c);
                }
                let quote = rest.next_if(|c| matches!(c, '\'' | '"'));
                match (quote, word.to_ascii_lowercase().as_str()) {
                    (None, _) => tokens.push(Token::Name(word)),
                    (Some(quote), "r" | "u") => {
                        let raw = word.eq_ignore_ascii_case("r");
                        tokens.push(Token::Text(string(quote, raw, &mut rest)?));
                    }
                    // Bytes and formatted strings are no plain text.
                    (Some(quote), _) => {
                        string(quote, word.to_ascii_lowercase().contains('r'), &mut rest)?;
                        tokens.push(Token::Name(word));
                    }
                }
            }
            c => {
                match c {
                    '(' | '[' | '{' => depth += 1,
                    ')' | ']' | '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                tokens.push(Token::Sign(c));
            }
        }
    }
    Ok(tokens)
}

/// A string behind its first quote.
fn string(quote: char, raw: bool, rest: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut ahead = rest.clone();
    let long = ahead.next() == Some(quote) && ahead.next() == Some(quote);
    if long {
        rest.nth(1);
    }
    let (mut text, mut quotes) = (String::new(), 0);
    loop {
        let c = rest.next().ok_or("a string does not end")?;
        if c == quote {
            quotes += 1;
            if !long || quotes == 3 {
                text.truncate(text.len() - (quotes - 1));
                return Ok(text);
            }
            text.push(c);
            continue;
        }
        quotes = 0;
        match c {
            '\n' if !long => return Err("a string does not end on its line".to_owned()),
            '\\' if raw => {
                text.push(c);
                text.extend(rest.next());
            }
            '\\' => match rest.next().ok_or("a string does not end")? {
                '\n' => {}
                'n' => text.push('\n'),
                't' => text.push('\t'),
                other => text.push(other),
            },
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(script: &str) -> Vec<(String, String)> {
        match constant(script, "VARIANTS").unwrap() {
            Some(Literal::Pairs(pairs)) => pairs
                .iter()
                .map(|(k, v)| (k.text().unwrap().to_owned(), v.text().unwrap().to_owned()))
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_dictionary_of_sentences_is_read_as_python_reads_it() {
        let script = "'''Says VARIANTS = {\nVARIANTS = {}\n'''\n\
            import os\n# VARIANTS = {'no': 'no'}\n\
            VARIANTS: dict[str, str] = {\n    \"compile\": \"one sentence, \"\n    'in two parts',  # why\n\
            \u{20}   'as-taught': (\n        \"it's \\\"the\\\" tutorial's\"\n    ),\n}\n\
            def f():\n    VARIANTS = {'inner': 'x'}\n    return VARIANTS == {}\n";
        let expected = [
            ("compile".to_owned(), "one sentence, in two parts".to_owned()),
            ("as-taught".to_owned(), "it's \"the\" tutorial's".to_owned()),
        ];
        assert_eq!(pairs(script), expected);
    }

    #[test]
    fn tuples_lists_and_their_absence_are_told_apart() {
        let read = |script: &str| constant(script, "PACKAGES");
        let list = |names: &[&str]| {
            let texts = names.iter().map(|n| Literal::Text((*n).to_owned())).collect();
            Ok(Some(Literal::List(texts)))
        };
        assert_eq!(read("PACKAGES = (\"jax\",)\n"), list(&["jax"]));
        assert_eq!(read("x = 1\nPACKAGES = [r'jax', u\"flax\"]"), list(&["jax", "flax"]));
        assert_eq!(read("PACKAGES = ()"), list(&[]));
        assert_eq!(read("PACKAGES == ('jax',)\n"), Ok(None));
        assert_eq!(read("if True:\n    PACKAGES = ('jax',)\n"), Ok(None));
        assert!(read("PACKAGES = tuple(names)\n").unwrap_err().contains("PACKAGES"));
        assert!(read("PACKAGES = ('a' + b,)\n").is_err());
        assert!(read("PACKAGES = f'{x}'\n").is_err());
        assert!(read("PACKAGES = ('jax\n").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(script in "\\PC{0,200}|[P='\"#\\\\\n(){}\\[\\],: a]{0,80}") {
            let _ = constant(&script, "P");
        }
    }
}
