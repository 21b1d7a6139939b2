"""Writes corpus.json: templates, and what Jinja2 makes of each.

    python3 -m venv venv && venv/bin/pip install 'jinja2==3.1.6' && venv/bin/python corpus.py > corpus.json

Only values that a customer can have stand in `VALUES`. A missing value is an error when it is used and false in an
`if`, as in Fanfare; everything else is Jinja2's default. Behind `HTML` templates are escaped.
"""

import json
import sys

import jinja2

VALUES = {
    "name": "ann lee",
    "title": "The <Best> & \"only\"",
    "accents": "ÉCOLE straße",
    "long": "The quick brown fox jumps over the lazy dog and runs away from well-known dangers.",
    "lines": "first\nsecond\n\nfourth\n",
    "spaced": "  a b  ",
    "empty": "",
    "number_text": "42",
    "n": 5,
    "zero": 0,
    "negative": -7,
    "price": 12.5,
    "third": 0.3333333,
    "big": 1234567,
    "vip": True,
    "blocked": False,
    "tags": ["red", "Blue", "green", "blue"],
    "numbers": [3, 1, 2, 3],
    "none_at_all": [],
    "address": {"city": "Paris", "street": "Rue X", "zip": "75001"},
    "orders": [
        {"sku": "a1", "price": 10, "kind": "food", "paid": True},
        {"sku": "b2", "price": 5, "kind": "toy", "paid": False},
        {"sku": "c3", "price": 20, "kind": "food", "paid": True},
    ],
}

TEXT = [
    # Printing, literals, operators
    "plain text", "{{ 'a' }}", '{{ "a" }}', "{{ 1 }}", "{{ -1 }}", "{{ 1.5 }}", "{{ 1_000 }}", "{{ true }}",
    "{{ True }}", "{{ false }}", "{{ none }}", "{{ None }}", "{{ [] }}", "{{ {} }}", "{{ [1, 2] }}", "{{ (1, 2) }}",
    "{{ ['a', 'b'] }}", "{{ {'a': 1} }}", "{{ [1, none] }}", "{{ [true, 1.0] }}", "{{ 1 + 2 }}", "{{ 5 - 7 }}",
    "{{ 2 * 3 }}", "{{ 7 / 2 }}", "{{ 6 / 2 }}", "{{ 7 // 2 }}", "{{ -7 // 2 }}", "{{ 7 % 3 }}", "{{ -7 % 3 }}",
    "{{ 7 % -3 }}", "{{ 7.5 % 2 }}", "{{ 2 ** 10 }}", "{{ 2 ** -1 }}", "{{ 2 + 3 * 4 }}", "{{ (2 + 3) * 4 }}",
    "{{ 10 - 3 - 2 }}", "{{ 10 - (3 - 2) }}", "{{ (10 - 3) - 2 }}", "{{ 2 * (10 - 3) }}", "{{ 1 - 2 * 3 + 4 }}",
    "{{ (1 + 2) ~ (3 - 1) }}", "{{ 'a' ~ 'b' }}", "{{ 'a' ~ 1 }}", "{{ 1 ~ 2 }}", "{{ 'a' ~ 1.5 ~ 'b' }}",
    "{{ 'a' + 'b' }}", "{{ [1] + [2] }}", "{{ 'ab' * 3 }}", "{{ [0] * 3 }}", "{{ 'a' ~ true }}", "{{ 'a' ~ none }}",
    "{{ 'a' ~ 10.0 }}", "{{ '%s' % 'x' }}", "{{ '%s and %s' % ('x', 'y') }}", "{{ '%.2f' % 1.5 }}",
    "{{ '%05d' % 42 }}", "{{ '%d%%' % 42 }}", "{{ '%5s|' % 'a' }}", "{{ '%-5s|' % 'a' }}", "{{ '%x' % 255 }}",
    "{{ '%.1f' % customer.price }}", "{{ '%.2f' % (10 - 2) }}", "{{ '%s' % customer.n ~ '!' }}",
    "{{ 1 == 1 }}", "{{ 1 != 1 }}", "{{ 'a' < 'b' }}", "{{ 2 > 1 }}", "{{ 2 >= 2 }}", "{{ 1 <= 0 }}",
    "{{ 1 < 2 < 3 }}", "{{ 1 < 3 < 2 }}", "{{ 'a' in 'abc' }}", "{{ 1 in [1, 2] }}", "{{ 3 not in [1, 2] }}",
    "{{ 'city' in customer.address }}", "{{ true and false }}", "{{ true or false }}", "{{ not true }}",
    "{{ 0 or 'x' }}", "{{ 1 and 'x' }}", "{{ '' or 'y' }}", "{{ 'a' if true else 'b' }}", "{{ 'a' if false }}",
    "{{ 'a' if false else 'b' if true else 'c' }}", "{{ 1 == 1.0 }}", "{{ 'a' == 'a' }}", "{{ [1] == [1] }}",
    "{{ 'Dear ' ~ customer.name ~ ', ' ~ customer.n }}", "{{ customer.n + 1 }}", "{{ customer.n * customer.price }}",
    "{{ customer.price }}", "{{ customer.vip }}", "{{ customer.n }}", "{{ customer.tags }}", "{{ customer.numbers }}",
    "{{ customer.address.city }}", "{{ customer['address']['city'] }}", "{{ customer.address['zip'] }}",
    "{{ customer.tags[0] }}", "{{ customer.tags[-1] }}", "{{ customer.orders[1].sku }}", "{{ customer.tags.0 }}",
    "{{ customer.tags[1:] }}", "{{ customer.tags[:2] }}", "{{ customer.tags[::2] }}", "{{ customer.name[0] }}",
    "{{ customer.name[-3:] }}", "{{ customer.name[:3] }}", "{{ customer.name[::-1] }}", "{{ 'abc'[1] }}",
    "{{ customer.nope }}", "{{ customer.nope.deeper }}", "{{ customer.tags[9] }}", "{{ customer.nope ~ 'x' }}",
    "{{ 'a\\nb' }}", "{{ 'it\\'s' }}", "{{ '\\u00e9' }}", "{{ 'a' 'b' }}", "{{ 1e3 }}", "{{ 0x10 }}",
    "{{ 1 if customer.nope else 2 }}", "{{ customer.nope or 'x' }}", "{{ not customer.nope }}",
    "{{ 1 - -2 }}", "{{ -1 - 2 }}", "{{ -(1 - 2) }}", "{{ -customer.n - 1 }}", "{{ customer.numbers[0] - customer.numbers[1] }}",
    "{{ customer['n'] - 1 }}", "{{ {'x-y': 5}['x-y'] - 1 }}", "{{ range(5 - 1) | list | length - 1 }}", "{{ (1, 2)[0] - 1 }}",
    "{{ [1 - 1] + [2 + 2] }}", "{{ {'a': 1 - 1}.a - 2 }}", "{{ 'a' 'b' ~ 'c' 'd' }}", "{{ (1 if true else 2) - 1 }}",
    "{{ 1 - (2 if true else 3) }}", "{{ 2 ** 3 - 1 }}", "{{ -2 ** 2 }}", "{{ 3 * (2 - 1) - (4 - 2) * 2 }}",
    "{{ ((1 + 2) * (3 - 1)) % 4 }}", "{{ 'x' ~ 1 if true else 'y' ~ 2 }}", "{{ 1 - 1 if 2 - 1 else 3 - 1 }}",
    "{{ 'abcdef'[1 + 1:5 - 1] }}", "{{ 'a' ~ 'b' | upper }}", "{{ ('a' ~ 'b') | upper }}", "{{ ('%s' % 'x') | upper }}",
    "{% if 1 - 1 %}a{% else %}b{% endif %}", "{{\n  1 -\n  2\n}}", "{{- 3 - 1 -}}", "{{ 3-1 }}", "{{ 3 -1 }}", "{{ 3- 1 }}",
    "{{ 'a-b' ~ '-' ~ 'c%d' }}", "{{ '%s-%s' % (1 - 1, 2 - 1) }}", "{{ ('a' ~ ('b' ~ ('c' ~ 'd'))) ~ 'e' }}",
    "{% set x = 3 - 1 %}{{ x }}", "{% with a = 3 - 1, b = 'x' ~ 'y' %}{{ a }}{{ b }}{% endwith %}", "{% for i in [1 + 1, 2 - 1] if i - 1 %}{{ i }}{% endfor %}",
    "{% macro m(a, b=2 - 1) %}{{ a - b }}{% endmacro %}{{ m(5 - 1) }}", "{% filter replace('a', 'b' ~ 'c') %}a{% endfilter %}",
    "{{ 'é' ~ 'ü' ~ (2 - 1) ~ 'ß' }}", "{{ 1 + 2 + 3 - 4 - 5 }}", "{{ (1 + (2 + (3 - 4))) - 5 }}", "{{ 10 % 4 % 3 }}", "{{ 10 - 4 % 3 }}", "{{ (10 - 4) % 4 }}",
    "{{ dict(a=3 - 1).a }}", "{{ 'a'.upper() ~ 'b'.replace('b', 'c' ~ 'd') }}", "{{ customer.orders[2 - 1].price - 1 }}",
    # Comments, raw, white space
    "a{# comment #}b", "a{#- comment -#} b", "{% raw %}{{ x }}{% endraw %}", "{% raw %}{% if %}{% endraw %}",
    "a {{- 'b' -}} c", "a {{ 'b' -}} c", "a {{- 'b' }} c", "a\n{%- if true %}\nb\n{%- endif %}\nc",
    "a\n{% if true -%}\n  b\n{%- endif -%}\n c", "a\n", "a\n\n", "\na", "{% if true %}\na\n{% endif %}\n",
    "  {%- set x = 1 -%}  {{ x }}", "a {%+ if true %}b{% endif %}", "{{ 'x' }}\n{{ 'y' }}\n", "a\r\nb",
    "{%- for i in [1, 2] %} {{ i }} {%- endfor %}", "{% raw -%}  x  {%- endraw %}",
    # if
    "{% if true %}a{% endif %}", "{% if false %}a{% else %}b{% endif %}",
    "{% if false %}a{% elif true %}b{% else %}c{% endif %}", "{% if customer.nope %}a{% else %}b{% endif %}",
    "{% if customer.nope is defined %}a{% else %}b{% endif %}", "{% if customer.empty %}a{% else %}b{% endif %}",
    "{% if customer.zero %}a{% else %}b{% endif %}", "{% if customer.none_at_all %}a{% else %}b{% endif %}",
    "{% if customer.vip and customer.n > 3 %}a{% endif %}", "{% if not customer.blocked %}a{% endif %}",
    "{% if customer.n > 3 %}{% if customer.n > 4 %}x{% endif %}{% endif %}",
    "{% if customer.name == 'ann lee' and not customer.nope %}y{% endif %}",
    # for
    "{% for i in [1, 2, 3] %}{{ i }}{% endfor %}", "{% for i in [] %}x{% else %}none{% endfor %}",
    "{% for i in [1, 2, 3] if i > 1 %}{{ i }}{% endfor %}", "{% for i in 'abc' %}{{ i }}-{% endfor %}",
    "{% for i in range(3) %}{{ i }}{% endfor %}", "{% for i in range(1, 10, 3) %}{{ i }} {% endfor %}",
    "{% for i in range(5, 0, -2) %}{{ i }} {% endfor %}",
    "{% for t in customer.tags %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }} {% endfor %}",
    "{% for t in customer.tags %}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.length }} {% endfor %}",
    "{% for t in customer.tags %}{{ loop.index }}/{{ loop.length }}:{{ t }}{{ ', ' if not loop.last }}{% endfor %}",
    "{% for t in customer.tags %}{{ loop.cycle('odd', 'even') }} {% endfor %}",
    "{% for t in customer.tags %}{{ loop.previtem | default('-') }}<{{ loop.nextitem | default('-') }} {% endfor %}",
    "{% for n in customer.numbers %}{% if loop.changed(n) %}{{ n }}{% endif %}{% endfor %}",
    "{% for i in [1, 2] %}{% for j in [1, 2] %}{{ loop.depth }}{{ loop.depth0 }}{{ i }}{{ j }} {% endfor %}{% endfor %}",
    "{% for k, v in customer.address.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in customer.address | items %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in customer.address %}{{ k }};{% endfor %}", "{% for k, v in [(1, 2), (3, 4)] %}{{ k + v }};{% endfor %}",
    "{% for k, v in {'b': 1, 'a': 2}.items() %}{{ k }}{{ v }}{% endfor %}",
    "{% for o in customer.orders if o.paid %}{{ o.sku }} {% endfor %}",
    "{% for o in customer.orders %}{{ o.price * 2 }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for i in [1, [2, [3]]] recursive %}{{ loop(i) if i is iterable else i }}{% endfor %}",
    "{% for o in customer.orders | sort(attribute='price') %}{{ o.sku }}{% endfor %}",
    "{% for row in customer.numbers | batch(2) %}{{ row | join('-') }};{% endfor %}",
    "{% for i in range(3) %}{% set x = i %}{% endfor %}{{ x | default('unset') }}",
    "{% for i in customer.nope %}x{% endfor %}", "{% for i in customer.n %}x{% endfor %}",
    "{% for a, b in [[1, 2], [3, 4]] %}{{ a }}{{ b }}{% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    # set, with, namespace, blocks
    "{% set x = 1 %}{{ x }}", "{% set x, y = 1, 2 %}{{ x }}{{ y }}", "{% set x = [1] %}{{ x[0] }}",
    "{% set x %}a{{ 1 }}b{% endset %}{{ x }}", "{% set x | upper %}a{{ 'b' }}{% endset %}{{ x }}",
    "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}", "{% with %}{% set x = 1 %}{{ x }}{% endwith %}",
    "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}", "{% with a = 1 %}{% with a = 2 %}{{ a }}{% endwith %}{{ a }}{% endwith %}",
    "{% set ns = namespace(n=0) %}{% for i in [1, 2, 3] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}",
    "{% set ns = namespace() %}{% set ns.x = 'y' %}{{ ns.x }}", "{% filter upper %}abc{{ 'd' }}{% endfilter %}",
    "{% filter replace('a', 'b') %}abc{% endfilter %}", "{% filter upper | trim %} a {% endfilter %}",
    "{% block a %}x{% endblock %}", "{% autoescape true %}{{ '<' }}{% endautoescape %}",
    "{% set x = 'a' ~ customer.n %}{{ x }}", "{% set d = dict(a=1, b='x') %}{{ d.a }}{{ d.b }}",
    # macros
    "{% macro m() %}x{% endmacro %}{{ m() }}", "{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m(1) }}{{ m('b') }}",
    "{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(a=5, b=6) }}",
    "{% macro m(a=1) %}{{ a }}{% endmacro %}{{ m() }}{{ m(a=2) }}",
    "{% macro m(a) %}{{ a | default('none') }}{% endmacro %}{{ m() }}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}x{% endcall %}",
    "{% macro m() %}{{ caller(1) }}{{ caller(2) }}{% endmacro %}{% call(i) m() %}[{{ i }}]{% endcall %}",
    "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m('x') | upper }}", "{% macro m(a) %}{{ varargs | length }}{% endmacro %}{{ m(1, 2, 3) }}",
    "{% macro m(a) %}{{ kwargs.b }}{% endmacro %}{{ m(1, b=2) }}", "{% macro m() %}{% endmacro %}{{ m.name }}",
    "{% macro price(p) %}{{ '%.2f' % p }} EUR{% endmacro %}{{ price(customer.price) }}",
    # functions
    "{{ range(4) | list }}", "{{ range(4) | sum }}", "{{ dict(a=1).a }}", "{{ range(0) | list }}", "{{ range(10) | length }}",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.reset() or '' }}{{ c.next() }}",
    "{% set j = joiner(', ') %}{% for i in [1, 2, 3] %}{{ j() }}{{ i }}{% endfor %}",
    "{% set j = joiner() %}{{ j() }}a{{ j() }}b",
    # filters: numbers
    "{{ -5 | abs }}", "{{ customer.negative | abs }}", "{{ 1.5 | abs }}", "{{ 2.5 | round }}", "{{ 2.567 | round(1) }}",
    "{{ 2.51 | round(0, 'floor') }}", "{{ 2.1 | round(method='ceil') }}", "{{ 42 | round(2) }}", "{{ 42.55 | round(1, 'floor') }}",
    "{{ 1250 | round(-2) }}", "{{ '42' | int }}", "{{ 'x' | int }}", "{{ 'x' | int(7) }}", "{{ '0x1f' | int(base=16) }}",
    "{{ '1.7' | int }}", "{{ 1.9 | int }}", "{{ -1.9 | int }}", "{{ true | int }}", "{{ ' 42 ' | int }}", "{{ '' | int }}",
    "{{ 'x' | int(default=3) }}", "{{ none | int }}", "{{ [] | int }}", "{{ '1_000' | int }}", "{{ 'inf' | int }}",
    "{{ '1.5' | float }}", "{{ 'x' | float }}", "{{ 'x' | float(2.5) }}", "{{ 3 | float }}", "{{ '1e3' | float }}", "{{ none | float }}",
    "{{ 1 | filesizeformat }}", "{{ 999 | filesizeformat }}", "{{ 1000 | filesizeformat }}", "{{ 1000000 | filesizeformat }}",
    "{{ 1024 | filesizeformat(true) }}", "{{ 1536 | filesizeformat(binary=true) }}", "{{ 1e12 | filesizeformat }}", "{{ 0 | filesizeformat }}",
    "{{ '2000' | filesizeformat }}",
    # filters: texts
    "{{ 'abc' | upper }}", "{{ 'ABC' | lower }}", "{{ customer.accents | lower }}", "{{ customer.accents | upper }}",
    "{{ customer.name | title }}", "{{ 'foo-bar baz (x)' | title }}", "{{ \"it's\" | title }}", "{{ 'hELLO wORLD' | capitalize }}",
    "{{ customer.spaced | trim }}|", "{{ '__a__' | trim('_') }}", "{{ 'xyax' | trim(chars='xy') }}", "{{ 5 | upper }}", "{{ 10.0 | string }}",
    "{{ true | lower }}", "{{ [1, 2] | string }}", "{{ 'aaa' | replace('a', 'b') }}", "{{ 'aaa' | replace('a', 'b', 2) }}",
    "{{ 'abc' | replace('b', '') }}", "{{ 'aaa' | replace('a', 'b', count=1) }}", "{{ 123 | replace(2, 'x') }}", "{{ 'abc' | reverse }}",
    "{{ 'abc' | first }}", "{{ 'abc' | last }}", "{{ 'abc' | length }}", "{{ 'abc' | count }}", "{{ 'abc' | list }}",
    "{{ customer.long | truncate(20) }}", "{{ customer.long | truncate(20, true) }}", "{{ customer.long | truncate(20, false, '…') }}",
    "{{ customer.long | truncate(length=15, killwords=true, end='!') }}", "{{ customer.long | truncate(80) }}",
    "{{ customer.long | truncate(80, leeway=0) }}", "{{ 'abc' | truncate(2) }}", "{{ 'short' | truncate }}", "{{ 'abcdefghij' | truncate(5, leeway=0) }}",
    "{{ customer.long | wordcount }}", "{{ 'a, b-c' | wordcount }}", "{{ '' | wordcount }}", "{{ customer.long | wordwrap(20) }}",
    "{{ customer.long | wordwrap(20, wrapstring='|') }}", "{{ 'abcdefghij klm' | wordwrap(5) }}", "{{ 'abcdefghij klm' | wordwrap(5, false) }}",
    "{{ 'well-known facts' | wordwrap(6) }}", "{{ 'well-known facts' | wordwrap(6, break_on_hyphens=false) }}", "{{ customer.lines | wordwrap(4) }}",
    "{{ 'a  b   c' | wordwrap(4) }}", "{{ 'ab' | center(7) }}|", "{{ 'abc' | center(8) }}|", "{{ 'abc' | center }}|", "{{ 'abc' | center(2) }}|",
    "{{ 'abc' | center(width=5) }}|", "{{ customer.lines | indent }}", "{{ customer.lines | indent(2) }}", "{{ customer.lines | indent(2, true) }}",
    "{{ customer.lines | indent(2, first=true, blank=true) }}", "{{ customer.lines | indent('> ') }}", "{{ customer.lines | indent(width='> ', first=true) }}",
    "{{ 'a\\nb' | indent(4, blank=true) }}", "{{ 'a' | indent }}", "{{ '<b>x</b> &amp; <!-- c --> y' | striptags }}", "{{ 'a  <br> b' | striptags }}",
    "{{ '&lt;b&gt; &copy; &#233;' | striptags }}", "{{ customer.title | e }}", "{{ customer.title | escape }}", "{{ \"it's\" | e }}", "{{ 5 | e }}",
    "{{ '<' | e | e }}", "{{ '<' | e | forceescape }}", "{{ '<' | forceescape }}", "{{ '<b>' | safe }}", "{{ customer.title | urlencode }}",
    "{{ 'a b/c?d=é' | urlencode }}", "{{ {'a': 1, 'b c': 'd&e'} | urlencode }}", "{{ [('a', 1), ('b', 'x y')] | urlencode }}", "{{ 5 | urlencode }}",
    "{{ '%s is %d' | format('x', 5) }}", "{{ '%.1f' | format(2.25) }}", "{{ '%(a)s-%(b)s' | format(a=1, b=2) }}", "{{ '%s' | format(10.0) }}", "{{ '%s' | format(true) }}",
    "{{ '%s' | format([1]) }}", "{{ '%5.1f|' | format(2.25) }}", "{{ '%+d' | format(5) }}",
    "{{ 'see https://example.com/x.' | urlize }}", "{{ 'go to www.example.com now' | urlize }}", "{{ 'mail me@example.com' | urlize }}",
    "{{ 'see (https://example.com)' | urlize }}", "{{ 'https://example.com/a/long/path' | urlize(20) }}", "{{ 'https://example.com' | urlize(nofollow=true) }}",
    "{{ 'https://example.com' | urlize(target='_blank') }}", "{{ 'example.org and more' | urlize }}", "{{ 'a < b https://example.com/?a=1&b=2' | urlize }}",
    "{{ {'class': 'a b', 'id': 'x', 'skip': none} | xmlattr }}", "{{ {'a': '<'} | xmlattr(false) }}", "{{ {} | xmlattr }}", "{{ {'a b': 1} | xmlattr }}",
    "{{ {'a': 1, 'b': [1, 'x', none, true]} | tojson }}", "{{ '<a> & \\'b\\'' | tojson }}", "{{ 1.5 | tojson }}", "{{ none | tojson }}", "{{ [1, 2] | tojson(indent=2) }}",
    "{{ {'b': 1, 'a': 2} | tojson }}", "{{ 'é' | tojson }}", "{{ true | tojson }}", "{{ customer.address | tojson }}", "{{ 5 | pprint }}", "{{ 'a' | pprint }}", "{{ [1, 'a'] | pprint }}",
    # filters: lists and objects
    "{{ customer.tags | join(', ') }}", "{{ customer.tags | join }}", "{{ [1, 2.5, true] | join('-') }}", "{{ customer.orders | join(', ', attribute='sku') }}",
    "{{ customer.orders | join(d='|', attribute='price') }}", "{{ [] | join(',') }}", "{{ 'abc' | join('.') }}", "{{ [1, none] | join(',') }}", "{{ [1, customer.nope] | join(',') }}",
    "{{ customer.numbers | sort | join }}", "{{ customer.numbers | sort(true) | join }}", "{{ customer.numbers | sort(reverse=true) | join }}", "{{ customer.tags | sort | join(' ') }}",
    "{{ customer.tags | sort(case_sensitive=true) | join(' ') }}", "{{ customer.tags | sort(false, true) | join(' ') }}", "{{ customer.orders | sort(attribute='price') | map(attribute='sku') | join }}",
    "{{ customer.orders | sort(attribute='kind,price') | map(attribute='sku') | join }}", "{{ customer.orders | sort(true, attribute='price') | map(attribute='sku') | join }}",
    "{{ ['b', 1] | sort }}", "{{ customer.tags | unique | join(' ') }}", "{{ customer.tags | unique(true) | join(' ') }}", "{{ customer.numbers | unique | list }}",
    "{{ customer.orders | unique(attribute='kind') | map(attribute='sku') | join }}", "{{ customer.numbers | min }}", "{{ customer.numbers | max }}", "{{ customer.tags | min }}", "{{ customer.tags | max(true) }}",
    "{{ customer.orders | max(attribute='price') | attr('sku') }}", "{{ (customer.orders | max(attribute='price')).sku }}", "{{ [] | min }}", "{{ [] | max is defined }}", "{{ customer.numbers | sum }}", "{{ [1.5, 2] | sum }}",
    "{{ customer.orders | sum(attribute='price') }}", "{{ customer.numbers | sum(start=10) }}", "{{ [] | sum }}", "{{ customer.orders | map(attribute='sku') | list }}", "{{ customer.tags | map('upper') | join(' ') }}",
    "{{ customer.tags | map('replace', 'e', '3') | join(' ') }}", "{{ customer.orders | map(attribute='nope', default='-') | join }}", "{{ customer.orders | map(attribute='nope') | join }}",
    "{{ customer.numbers | map('string') | join('+') }}", "{{ customer.numbers | select('odd') | list }}", "{{ customer.numbers | reject('odd') | list }}", "{{ customer.numbers | select('>', 1) | list }}",
    "{{ [0, 1, '', 'a'] | select | list }}", "{{ [0, 1] | reject | list }}", "{{ customer.orders | selectattr('paid') | map(attribute='sku') | join }}", "{{ customer.orders | rejectattr('paid') | map(attribute='sku') | join }}",
    "{{ customer.orders | selectattr('price', '>', 8) | map(attribute='sku') | join }}", "{{ customer.orders | selectattr('kind', 'equalto', 'toy') | list | length }}", "{{ customer.orders | selectattr('kind', 'in', ['toy']) | list | length }}",
    "{{ customer.orders | rejectattr('kind', 'eq', 'toy') | map(attribute='sku') | join }}", "{{ customer.tags | first }}", "{{ customer.tags | last }}", "{{ [] | first }}", "{{ customer.tags | length }}", "{{ customer.address | length }}",
    "{{ customer.tags | reverse | join }}", "{{ customer.tags | reverse | list | first }}", "{{ customer.tags | list | length }}", "{{ customer.address | list }}", "{{ customer.numbers | batch(3) | list }}", "{{ customer.numbers | batch(3, 0) | list }}",
    "{{ customer.numbers | batch(linecount=3, fill_with='x') | map('join') | join('|') }}", "{{ customer.numbers | slice(3) | list }}", "{{ customer.numbers | slice(3, 'x') | map('join') | join('|') }}", "{{ customer.numbers | slice(slices=2) | list }}",
    "{% for g in customer.orders | groupby('kind') %}{{ g.grouper }}:{{ g.list | map(attribute='sku') | join(',') }} {% endfor %}",
    "{% for kind, items in customer.orders | groupby('kind') %}{{ kind }}={{ items | length }} {% endfor %}", "{% for k, i in customer.orders | groupby('nope', default='?') %}{{ k }}{{ i | length }}{% endfor %}",
    "{% for k, i in customer.orders | groupby(attribute='kind') %}{{ k }}{% endfor %}", "{{ {'b': 1, 'a': 2} | dictsort }}", "{% for k, v in {'b': 1, 'A': 2} | dictsort %}{{ k }}{{ v }}{% endfor %}",
    "{% for k, v in {'b': 1, 'A': 2} | dictsort(true) %}{{ k }}{{ v }}{% endfor %}", "{% for k, v in {'b': 1, 'a': 2} | dictsort(by='value') %}{{ k }}{{ v }}{% endfor %}",
    "{% for k, v in {'b': 1, 'a': 2} | dictsort(false, 'value', true) %}{{ k }}{{ v }}{% endfor %}", "{% for k, v in {'b': 1, 'a': 2} | dictsort(reverse=true) %}{{ k }}{{ v }}{% endfor %}",
    "{{ customer.orders[0] | attr('sku') }}", "{{ customer.address | items | list | length }}", "{{ {'a': 1} | items | list }}", "{{ customer.numbers | random is number }}",
    "{{ customer.nope | default('x') }}", "{{ customer.nope | d('x') }}", "{{ customer.empty | default('x') }}|", "{{ customer.empty | default('x', true) }}", "{{ customer.empty | default('x', boolean=true) }}", "{{ customer.zero | default(9, true) }}",
    "{{ customer.nope | default(default_value='y') }}", "{{ customer.nope | default }}|", "{{ customer.nope.x | default('z') }}", "{{ none | default('x') }}", "{{ none | default('x', true) }}", "{{ customer.name | default('x') | upper }}",
    "{{ customer.nope | upper }}", "{{ customer.nope | e }}", "{{ customer.nope | urlencode }}", "{{ customer.nope | join }}", "{{ customer.nope | indent }}", "{{ customer.nope | pprint }}", "{{ customer.nope | int }}", "{{ customer.nope | length }}",
    "{{ customer.nope | list }}", "{{ customer.nope | first }}", "{{ customer.nope | tojson }}", "{{ customer.nope | string }}", "{{ customer.nope | trim }}", "{{ customer.nope | replace('a', 'b') }}", "{{ 'a' | replace('a', customer.nope) }}",
    "{{ customer.nope | sort }}", "{{ customer.nope | sum }}", "{{ customer.nope | truncate(5) }}", "{{ customer.nope | striptags }}", "{{ customer.nope | title }}", "{{ customer.nope | abs }}", "{{ customer.nope | round }}", "{{ customer.nope | float }}",
    # tests
    "{{ 5 is number }}", "{{ '5' is number }}", "{{ 5 is integer }}", "{{ 5.0 is integer }}", "{{ 5.5 is float }}", "{{ 5 is float }}", "{{ 'a' is string }}", "{{ 5 is string }}", "{{ true is boolean }}", "{{ 1 is boolean }}",
    "{{ true is true }}", "{{ 1 is true }}", "{{ false is false }}", "{{ none is none }}", "{{ 5 is none }}", "{{ [1] is iterable }}", "{{ 'a' is iterable }}", "{{ 5 is iterable }}", "{{ [1] is sequence }}", "{{ {} is mapping }}",
    "{{ [] is mapping }}", "{{ 5 is odd }}", "{{ 4 is even }}", "{{ 9 is divisibleby 3 }}", "{{ 9 is divisibleby(2) }}", "{{ 'a' is lower }}", "{{ 'A' is upper }}", "{{ 'Ab' is lower }}", "{{ 1 is eq 1 }}", "{{ 1 is equalto(2) }}",
    "{{ 1 is ne 2 }}", "{{ 1 is lt 2 }}", "{{ 1 is lessthan(2) }}", "{{ 1 is le 1 }}", "{{ 2 is gt 1 }}", "{{ 2 is greaterthan(1) }}", "{{ 2 is ge 2 }}", "{{ 1 is in [1, 2] }}", "{{ 'x' is in 'xyz' }}", "{{ customer.nope is defined }}",
    "{{ customer.n is defined }}", "{{ customer.nope is undefined }}", "{{ customer.n is not none }}", "{{ 1 is not odd }}", "{{ ('a' | safe) is escaped }}", "{{ 'a' is escaped }}", "{{ 1 is sameas 1 }}", "{{ true is sameas true }}", "{{ range is callable }}",
    "{{ 5 is callable }}", "{{ 'upper' is filter }}", "{{ 'nope' is filter }}", "{{ 'odd' is test }}", "{{ 5 is == 5 }}", "{{ 5 is > 4 }}",
    # methods
    "{{ customer.name.upper() }}", "{{ 'ABC'.lower() }}", "{{ customer.name.title() }}", "{{ 'abc def'.capitalize() }}", "{{ ' a '.strip() }}|", "{{ 'xax'.strip('x') }}", "{{ ' a'.lstrip() }}", "{{ 'a '.rstrip() }}|", "{{ 'a,b'.split(',') }}",
    "{{ 'a b  c'.split() }}", "{{ 'a,b,c'.split(',', 1) }}", "{{ 'a,b,c'.rsplit(',', 1) }}", "{{ 'a b c'.rsplit(none, 1) }}", "{{ customer.name.split()[0] }}", "{{ customer.name.split(' ')[-1] }}", "{{ 'aXb'.replace('X', '-') }}", "{{ 'aaa'.replace('a', 'b', 1) }}",
    "{{ 'abc'.startswith('a') }}", "{{ 'abc'.endswith(('b', 'c')) }}", "{{ 'abc'.find('c') }}", "{{ 'abc'.find('x') }}", "{{ 'abca'.rfind('a') }}", "{{ 'abca'.count('a') }}", "{{ 'abc'.index('b') }}", "{{ '5'.isdigit() }}", "{{ 'a1'.isalnum() }}", "{{ 'a'.isalpha() }}",
    "{{ 'a'.islower() }}", "{{ 'A'.isupper() }}", "{{ ' '.isspace() }}", "{{ 'Ab Cd'.istitle() }}", "{{ 'aB'.swapcase() }}", "{{ '5'.zfill(3) }}", "{{ '-5'.zfill(4) }}", "{{ 'a'.ljust(3) }}|", "{{ 'a'.rjust(3, '.') }}", "{{ 'a'.center(5) }}|", "{{ 'a-b-c'.partition('-') }}",
    "{{ 'a-b-c'.rpartition('-') }}", "{{ 'prefix-x'.removeprefix('prefix-') }}", "{{ 'x.txt'.removesuffix('.txt') }}", "{{ 'a\\nb'.splitlines() }}", "{{ 'ß'.casefold() }}", "{{ ', '.join(customer.tags) }}", "{{ '-'.join(['a', 'b']) }}", "{{ '{} {}'.format('a', 1) }}", "{{ '{0}{1}{0}'.format('a', 'b') }}",
    "{{ '{x}'.format(x=5) }}", "{{ '{:.2f}'.format(1.5) }}", "{{ '{:>5}|'.format('a') }}", "{{ '{:,}'.format(customer.big) }}", "{{ '{:05d}'.format(42) }}", "{{ '{:.1%}'.format(0.256) }}", "{{ customer.address.get('city') }}", "{{ customer.address.get('nope') }}", "{{ customer.address.get('nope', 'x') }}",
    "{{ customer.address.keys() | list }}", "{{ customer.address.values() | list }}", "{{ customer.address.items() | list | length }}", "{{ customer.numbers.count(3) }}", "{{ customer.numbers.index(2) }}", "{{ customer.tags.count('red') }}", "{{ customer.name.nope() }}", "{{ customer.nope.strip() }}",
    "{{ customer.name.strip().upper()[:3] }}", "{{ 'a'.upper() ~ 'b'.upper() }}", "{{ customer.name.startswith('ann') and customer.vip }}",
    # errors of syntax and of names
    "{{ ", "{% if %}", "{% endif %}", "{{ x | nope }}", "{{ 1 is nope }}", "{% nope %}", "{{ 'a }}", "{{ 1 + }}", "{% for %}{% endfor %}", "{{ 5 | round('x') }}", "{{ 'a' - 1 }}", "{{ 'a' + 1 }}", "{{ 1 / 0 }}", "{{ 1 % 0 }}", "{{ customer.name() }}",
]

HTML = [
    "{{ customer.title }}", "{{ customer.title | safe }}", "{{ customer.title | e }}", "<b>{{ customer.name }}</b>", "{{ '/a/b' }}", "<a href=\"{{ 'https://x.example/?a=1&b=2' }}\">", "{{ \"it's\" }}", "{{ customer.tags | join('<br>') }}",
    "{{ customer.tags | join('<br>' | safe) }}", "{{ '<' ~ '>' }}", "{{ ('<' | safe) ~ '>' }}", "{% set x %}<b>{{ '<' }}</b>{% endset %}{{ x }}", "{% macro m(x) %}<i>{{ x }}</i>{% endmacro %}{{ m('<') }}", "{{ '<' | upper }}", "{{ '<b>' | safe | upper }}",
    "{{ '<' | replace('<', '>') }}", "{{ ('<b>' | safe) | replace('b', '<') }}", "{{ customer.title | urlencode }}", "{{ {'a': '<'} | tojson }}", "{{ '<b>x</b>' | striptags }}", "{{ customer.title | truncate(8, true) }}", "{{ customer.title | forceescape }}", "{{ 'https://example.com?a=1&b=2' | urlize }}",
    "{{ {'a': '\"'} | xmlattr }}", "{% autoescape false %}{{ '<' }}{% endautoescape %}", "{% filter upper %}<{{ '<' }}>{% endfilter %}", "{{ '%s' | format('<') }}", "{{ ('<b>%s</b>' | safe) | format('<') }}", "{{ '<b>%s</b>' % '<' }}", "{{ ('<b>%s</b>' | safe) % '<' }}", "{{ 5 }}", "{{ '<' + '>' }}",
    "{{ ('<' | safe) + '>' }}", "{{ '<'.upper() }}", "{{ ('<b>' | safe).upper() }}", "{{ '<' | indent }}", "{{ '<' | center(5) }}", "{{ '<' | trim }}", "{{ '<' | e | length }}", "{{ customer.title | title }}",
]


class Guarded(jinja2.StrictUndefined):
    """Missing: an error where it is used, false in an `if`."""

    def __bool__(self):
        return False


def render(template, autoescape):
    environment = jinja2.Environment(undefined=Guarded, autoescape=autoescape, extensions=["jinja2.ext.do"])
    case = {"template": template}
    if autoescape:
        case["html"] = True
    try:
        case["renders"] = environment.from_string(template).render(customer=VALUES)
    except Exception as error:  # whatever it is, the template gives no text
        case["error"] = f"{type(error).__name__}: {error}"
    return case


def main():
    cases = [render(template, False) for template in TEXT] + [render(template, True) for template in HTML]
    corpus = {"jinja2": jinja2.__version__, "values": {"customer": VALUES}, "cases": cases}
    json.dump(corpus, sys.stdout, indent=1, ensure_ascii=False)
    print()


main()
